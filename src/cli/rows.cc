#include "cli/rows.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "cli/context.h"
#include "data/types/nested.h"

namespace supyo::cli {
namespace {

constexpr std::size_t kWidthMax = 48;          ///< of one column of a table
constexpr std::size_t kRowsForWidths = 1000;   ///< a table's widths are those of its first rows
constexpr char kNullCell[] = "\xff\xfe\xff";   ///< NULL, as opposed to the text 'NULL': no UTF-8

/// Bytes and display columns of the character at the start of `text`; control characters and broken UTF-8 are one byte and one column.
struct Character {
  std::size_t bytes = 1;
  std::size_t columns = 1;
  bool printable = true;
};
Character first_character(std::string_view text) {
  const auto byte = static_cast<unsigned char>(text[0]);
  if (byte < 0x20 || byte == 0x7f) return {1, 1, false};
  if (byte < 0x80) return {};
  const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 0;
  if (length == 0 || length > text.size()) return {1, 1, false};
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return {1, 1, false};
  }
  if (length == 2) {
    return {2, 1, byte != 0xc2 || static_cast<unsigned char>(text[1]) >= 0xa0};  // C1 control characters steer terminals
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool wide = length == 4 || (byte >= 0xe3 && byte <= 0xed) || (byte == 0xe1 && (second == 0x84 || second == 0x85)) ||
                    (byte == 0xef && second >= 0xbc && second <= 0xbd);
  return {length, wide ? 2u : 1u, true};
}

/// At most `width` columns of `text`, safe on a terminal, padded to exactly `width`.
std::string fit(std::string_view text, std::size_t width, bool right) {
  const bool cut = display_width(text) > width;
  const std::size_t room = cut ? width - 1 : width;
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    if (used + c.columns > room) break;
    out += c.printable ? std::string(text.substr(0, c.bytes)) : "?";
    used += c.columns;
    text.remove_prefix(c.bytes);
  }
  if (cut) {
    out += "…";
    ++used;
  }
  const std::string blanks(width > used ? width - used : 0, ' ');
  return right ? blanks + out : out + blanks;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos && !text.empty()) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

bool is_null(const std::string& cell) { return cell == kNullCell; }

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    width += c.columns;
    text.remove_prefix(c.bytes);
  }
  return width;
}

Result<RowFormat> parse_row_format(std::string_view name) {
  if (name == "table") return RowFormat::kTable;
  if (name == "csv") return RowFormat::kCsv;
  if (name == "json") return RowFormat::kJson;
  if (name == "changelog") return RowFormat::kChangelog;
  return fail(ErrorCode::kUsage, fmt::format("there is no output format {}", name), "table, csv, json or changelog");
}

RowPrinter::RowPrinter(RowFormat format, Schema schema, bool append_only)
    : format_(format), schema_(std::move(schema)), append_only_(append_only || format == RowFormat::kChangelog) {
  for (const Field& field : schema_.fields()) widths_.push_back(std::min(std::max<std::size_t>(display_width(field.name), 1), kWidthMax));
}

bool RowPrinter::is_number(std::size_t column) const { return schema_[column].type.is_numeric(); }

Status RowPrinter::add(const Batch& batch) {
  std::vector<Row> rows(batch.rows, Row(schema_.size()));
  for (std::size_t c = 0; c < schema_.size(); ++c) {
    const Column& column = *batch.columns[c];
    for (std::size_t r = 0; r < batch.rows; ++r) {
      if (column.is_null(r)) {
        rows[r][c] = kNullCell;
      } else if (column.type().id == TypeId::kTimestampLtz) {
        rows[r][c] = format_timestamp(zone_.to_local(column.value<std::int64_t>(r)), column.type().precision);
      } else if (column.type().is_nested()) {
        nested::append_text(column.type(), nested::item_at(column, r), {.as_cast = true, .zone = zone_}, rows[r][c]);
      } else {
        append_text_of(column, r, rows[r][c]);
      }
    }
  }
  const std::lock_guard lock(mutex_);
  std::string out;
  for (std::size_t r = 0; r < batch.rows; ++r) {
    const bool print_now = append_only_ && (format_ != RowFormat::kTable || begun_);
    if (!print_now) {
      take(batch.kind(r), std::move(rows[r]));
      if (append_only_ && held_.size() >= kRowsForWidths) flush_held(out);
    } else {
      if (!begun_) start_table(out);
      emit(batch.kind(r), rows[r], out);
      ++count_;
    }
  }
  if (!out.empty()) write_out(out);
  return ok();
}

void RowPrinter::add_row(const std::vector<Value>& values) {
  Row row;
  for (const Value& value : values) row.push_back(value.is_null() ? kNullCell : value.to_string());
  const std::lock_guard lock(mutex_);
  take(RowKind::kInsert, std::move(row));
}

/// Keeps the row, or takes an equal one back.
void RowPrinter::take(RowKind kind, Row row) {
  changed_ = true;
  if (append_only_) {
    held_.push_back(std::move(row));
    return;
  }
  if (!is_retraction(kind)) {
    at_[row].push_back(held_.size());
    held_.push_back(std::move(row));
    gone_.push_back(false);
    ++live_;
    return;
  }
  const auto found = at_.find(row);
  if (found == at_.end()) return;
  gone_[found->second.back()] = true;
  found->second.pop_back();
  if (found->second.empty()) at_.erase(found);
  --live_;
  if (held_.size() < 1024 || held_.size() < 2 * live_) return;
  // More than half is gone: forget it.
  std::vector<Row> kept;
  at_.clear();
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (gone_[i]) continue;
    at_[held_[i]].push_back(kept.size());
    kept.push_back(std::move(held_[i]));
  }
  held_ = std::move(kept);
  gone_.assign(held_.size(), false);
}

void RowPrinter::widen(const Row& row) {
  for (std::size_t c = 0; c < schema_.size(); ++c) widths_[c] = std::min(std::max(widths_[c], is_null(row[c]) ? 4 : display_width(row[c])), kWidthMax);
}

void RowPrinter::start_table(std::string& out) {
  begun_ = true;
  if (format_ == RowFormat::kCsv) {
    for (std::size_t c = 0; c < schema_.size(); ++c) out += (c > 0 ? "," : "") + csv_field(schema_[c].name);
    out += "\n";
  }
  if (format_ != RowFormat::kTable) return;
  std::string line;
  for (std::size_t c = 0; c < schema_.size(); ++c) {
    out += (c > 0 ? " | " : "") + fit(schema_[c].name, widths_[c], is_number(c));
    line += (c > 0 ? "-+-" : "") + std::string(widths_[c], '-');
  }
  out.erase(out.find_last_not_of(' ') + 1);
  out += "\n" + line + "\n";
}

void RowPrinter::flush_held(std::string& out) {
  if (!begun_) {
    for (std::size_t i = 0; i < held_.size(); ++i)
      if (gone_.empty() || !gone_[i]) widen(held_[i]);
    start_table(out);
  }
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (!gone_.empty() && gone_[i]) continue;
    emit(RowKind::kInsert, held_[i], out);
    ++count_;
  }
  held_.clear();
  gone_.clear();
  at_.clear();
  live_ = 0;
}

void RowPrinter::emit_table_row(const Row& row, std::string& out) const {
  for (std::size_t c = 0; c < row.size(); ++c) {
    std::string cell = fit(is_null(row[c]) ? "NULL" : row[c], widths_[c], is_number(c));
    if (c + 1 == row.size()) cell.erase(cell.find_last_not_of(' ') + 1);
    out += (c > 0 ? " | " : "") + cell;
  }
  out += "\n";
}

void RowPrinter::emit_json(RowKind kind, const Row& row, std::string& out) const {
  out += "{";
  if (format_ == RowFormat::kChangelog) out += fmt::format("\"op\":\"{}\"{}", row_kind_text(kind), row.empty() ? "" : ",");
  for (std::size_t c = 0; c < row.size(); ++c) {
    out += (c > 0 ? "," : "") + json_string(schema_[c].name) + ":";
    const bool bare = is_number(c) || schema_[c].type.id == TypeId::kBoolean;
    // NaN and infinity are no JSON numbers.
    const bool finite = !schema_[c].type.is_floating() || row[c].find_first_of("nN") == std::string::npos;
    out += is_null(row[c]) ? "null" : bare && finite ? row[c] : json_string(row[c]);
  }
  out += "}\n";
}

void RowPrinter::emit(RowKind kind, const Row& row, std::string& out) const {
  if (format_ == RowFormat::kTable) return emit_table_row(row, out);
  if (format_ != RowFormat::kCsv) return emit_json(kind, row, out);
  for (std::size_t c = 0; c < row.size(); ++c) out += (c > 0 ? "," : "") + (is_null(row[c]) ? std::string() : csv_field(row[c]));
  out += "\n";
}

void RowPrinter::erase_drawing(std::string& out) {
  if (drawn_lines_ > 0) out += fmt::format("\r\x1b[{}A\x1b[J", drawn_lines_);
  drawn_lines_ = 0;
}

/// What fits the terminal of the rows so far, in place of what was drawn before.
void RowPrinter::draw() {
  winsize size = {};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 8 && size.ws_col > 20;
  const std::size_t lines = known ? size.ws_row : 24, columns = known ? size.ws_col : 80;
  std::string table, out;
  std::vector<const Row*> shown;
  for (std::size_t i = 0; i < held_.size() && shown.size() + 5 < lines; ++i)
    if (gone_.empty() || !gone_[i]) shown.push_back(&held_[i]);
  for (const Row* row : shown) widen(*row);
  start_table(table);
  begun_ = false;
  for (const Row* row : shown) emit_table_row(*row, table);
  table += fmt::format("{} {} so far{}; Ctrl-C ends the query\n", grouped(live_), live_ == 1 ? "row" : "rows", shown.size() < live_ ? fmt::format(", the first {} are shown", shown.size()) : "");
  erase_drawing(out);
  for (std::string_view rest = table; !rest.empty();) {   // a line that wraps would be counted wrongly
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    out += display_width(line) < columns ? std::string(line) : fit(std::string(line), columns - 1, false);
    out += "\n";
    ++drawn_lines_;
    rest.remove_prefix(end + 1);
  }
  write_out(out);
}

void RowPrinter::tick() {
  constexpr int kPatience = 10;
  constexpr int kTicksPerDrawing = 4;
  const std::lock_guard lock(mutex_);
  if (watching_ && changed_ && ++ticks_held_ >= kTicksPerDrawing) {
    ticks_held_ = 0;
    changed_ = false;
    return draw();
  }
  if (!append_only_ || held_.empty() || ++ticks_held_ < kPatience) return;
  std::string out;
  flush_held(out);
  write_out(out);
}

void RowPrinter::finish(DurationUs took_us) {
  const std::lock_guard lock(mutex_);
  std::string out;
  erase_drawing(out);
  flush_held(out);
  if (format_ == RowFormat::kTable && took_us >= 0) out += fmt::format("{} {} in {}\n", grouped(count_), count_ == 1 ? "row" : "rows", human_duration(took_us));
  write_out(out);
}

void RowPrinter::give_up() {
  const std::lock_guard lock(mutex_);
  std::string out;
  erase_drawing(out);
  if (append_only_ && !held_.empty()) flush_held(out);
  if (!out.empty()) write_out(out);
}

}  // namespace supyo::cli
