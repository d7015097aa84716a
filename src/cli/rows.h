#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/types/batch.h"
#include "data/types/type.h"
#include "data/types/value.h"
#include "data/types/zone.h"

namespace supyo::cli {

enum class RowFormat : std::uint8_t {
  kTable,      ///< aligned columns and a row count
  kCsv,        ///< RFC 4180, with a header
  kJson,       ///< one object a line
  kChangelog,  ///< one object a line with "op": "+I" and so on, every change as it comes
};
Result<RowFormat> parse_row_format(std::string_view name);

/// Prints the rows of one query on standard output. add() may be called from several threads; begin and finish once each, around them.
///
/// Rows of an append-only query are printed as they come (kTable: as soon as enough are there to know the columns' widths). Where rows can change, all
/// formats but kChangelog collect, and print the rows that are left at the end; on a terminal a kTable shows meanwhile what it has.
class RowPrinter {
 public:
  RowPrinter(RowFormat format, Schema schema, bool append_only);
  /// Standard output is a terminal that takes cursor movements: a result that changes is drawn anew with tick().
  void watch_on_terminal() { watching_ = format_ == RowFormat::kTable && !append_only_; }

  /// TIMESTAMP_LTZ is shown as this zone's clocks do (default UTC); of add(), before the first.
  void show_times_in(Zone zone) { zone_ = std::move(zone); }

  Status add(const Batch& batch);
  void add_row(const std::vector<Value>& row);
  /// Called now and then while the query goes on: rows that wait for a table's widths are not kept from the reader for longer than a moment.
  void tick();
  /// Prints what is still held. `took_us` is shown beside the row count; below 0: no count at all.
  void finish(DurationUs took_us);
  /// Instead of finish() after an error: rows that had come are shown, a result that is not whole is not, and nothing claims to be a count.
  void give_up();
  std::uint64_t rows() const { return count_; }

 private:
  using Row = std::vector<std::string>;
  void take(RowKind kind, Row row);
  void emit(RowKind kind, const Row& row, std::string& out) const;
  void emit_json(RowKind kind, const Row& row, std::string& out) const;
  void emit_table_row(const Row& row, std::string& out) const;
  void start_table(std::string& out);
  void flush_held(std::string& out);
  void draw();
  void erase_drawing(std::string& out);
  void widen(const Row& row);
  bool is_number(std::size_t column) const;

  RowFormat format_;
  Schema schema_;
  bool append_only_;
  Zone zone_;
  std::mutex mutex_;
  bool begun_ = false;
  std::vector<std::size_t> widths_;
  std::vector<Row> held_;                       ///< printed later
  std::map<Row, std::vector<std::size_t>> at_;  ///< where equal rows are in held_, when rows can change
  std::vector<bool> gone_;                      ///< beside held_
  std::size_t live_ = 0;                        ///< of held_, not gone
  std::uint64_t count_ = 0;
  int ticks_held_ = 0;
  bool watching_ = false, changed_ = false;
  std::size_t drawn_lines_ = 0;
};

/// Columns that a text takes on a terminal.
std::size_t display_width(std::string_view text);

}  // namespace supyo::cli
