#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connect/jdbc/session.h"
#include "connect/jdbc/statements.h"
#include "core/base/bytes.h"
#include "core/env/env.h"
#include "data/types/row_codec.h"
#include "engine/dataflow/sink.h"

namespace supyo::connect::jdbc {

struct SinkConfig {
  Where where;
  Schema schema;
  std::vector<std::size_t> key;      ///< of it: the primary key; empty: rows are appended
  bool marks_epochs = false;         ///< in the table supyo_epochs
  std::size_t rows_at_once = 100;
  std::int64_t retries = 3;
};

/// Rows of one shard and epoch, as the commit handle has them: u8 layout (1), then for each row u8 (0 = put, 1 = delete) and the row (varint length and RowCodec bytes).
/// With a key the last change of each key, in the order in which the keys came.
class StagedRows {
 public:
  explicit StagedRows(const SinkConfig& config);
  void add(const Batch& batch);
  std::string take();   ///< the handle; empty when nothing was added

  /// Calls `each(deleted, row bytes)` for every row of a handle; false when it is none.
  template <class Each>
  static bool read(std::string_view handle, Each each) {
    ByteReader reader(handle);
    if (!handle.empty() && reader.u8() != kLayout) return false;
    while (!reader.failed() && !reader.done()) {
      const bool deleted = reader.u8() == 1;
      const std::string_view row = reader.text();
      if (!reader.failed()) each(deleted, row);
    }
    return !reader.failed();
  }

 private:
  static constexpr std::uint8_t kLayout = 1;
  struct Change {
    bool deleted = false;
    std::string row;
  };
  const SinkConfig& config_;
  RowCodec row_codec_, key_codec_;
  std::vector<Change> changes_;
  std::unordered_map<std::string, std::size_t> by_key_;
  std::string key_;
};

/// Writes epochs, each in one transaction, and knows which one was written last. Waits for the database: one thread.
class EpochWriter {
 public:
  EpochWriter(const SinkConfig& config, dataflow::JobIdentity job);

  /// A session, the table checked. With marks the last epoch of this job that is there. Errors: jdbc.h; kStateOfOtherJob when it is after `last_final`.
  Status open(Epoch last_final);
  /// One attempt. kWasVisible: it was there already. After an error the session is gone, and the outcome is not known: try again.
  Result<dataflow::CommitOutcome> write(Epoch epoch, const std::vector<dataflow::CommitHandle>& handles);

 private:
  Status connect();
  Result<std::int64_t> last_epoch();
  Result<dataflow::CommitOutcome> write_now(Epoch epoch, const std::vector<dataflow::CommitHandle>& handles);
  Status put_rows(const std::vector<dataflow::CommitHandle>& handles);
  Status flush(BatchBuilder& rows, bool deleted);
  Status mark(Epoch epoch);

  const SinkConfig& config_;
  dataflow::JobIdentity job_;
  Statements statements_;
  RowCodec codec_;
  std::vector<std::size_t> all_;
  std::string marks_;                 // the table, quoted
  Schema mark_schema_;
  std::unique_ptr<Session> session_;
};

}  // namespace supyo::connect::jdbc
