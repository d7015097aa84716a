#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/strong.h"
#include "data/types/type.h"
#include "data/types/zone.h"
#include "engine/dataflow/sink.h"

namespace supyo::job {

/// The newest rows of each table that a job writes, for people who look on: only what readers can see, and never more than a few thousand rows.
///
/// Writers keep a pointer to each batch (a lock a batch, nothing a row); text is made by who looks. Between two looks at most `kWaitingRows` rows of a table are
/// kept, of the newest; older ones are left out, and `Table::left_out` counts them. Thread-safe. Outlives the job.
class NewestRows {
 public:
  static constexpr std::size_t kWaitingRows = 16'384;   ///< of a table, not looked at yet
  static constexpr std::size_t kKeys = 1'000;           ///< of a table whose rows replace each other
  static constexpr std::size_t kCellBytes = 300;        ///< longer text is cut

  struct Row {
    RowKind kind = RowKind::kInsert;
    std::vector<std::optional<std::string>> cells;      ///< absent: NULL
  };
  struct Table {
    std::string name;
    Schema schema;
    bool keyed = false;                 ///< rows are the newest of each key; else the newest changes
    std::vector<Row> rows;              ///< newest first
    std::uint64_t written = 0;          ///< rows that readers can see, since this process began
    std::uint64_t left_out = 0;
  };

  explicit NewestRows(std::size_t rows_max = 200);
  ~NewestRows();
  /// `sink`, watched. `key`: the columns by which a row replaces an older one; none: every row is shown as it came.
  std::shared_ptr<dataflow::Sink> watch(std::shared_ptr<dataflow::Sink> sink, std::string table, Schema schema, std::optional<std::vector<std::size_t>> key, Zone zone);
  /// As of the epoch that readers can see, tables in the order in which they were watched.
  std::vector<Table> look(Epoch visible);

  struct Watched;

 private:
  std::size_t rows_max_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Watched>> tables_;
};

}  // namespace supyo::job
