#include <deque>

#include "core/base/check.h"
#include "data/formats/codecs.h"
#include "data/types/nested.h"

namespace supyo::formats {
namespace {

class CsvDecoder final : public Decoder {
 public:
  CsvDecoder(const CsvOptions& options, const Schema& schema, std::span<const std::size_t> columns)
      : options_(options), schema_(schema), columns_(columns.begin(), columns.end()) {
    cells_.resize(columns_.size());
    for (std::size_t i = 0; i < schema_.size(); ++i) read_.push_back(kNotRead);
    for (std::size_t i = 0; i < columns_.size(); ++i) read_[columns_[i]] = i;
    unquoted_.resize(columns_.size());
  }

  Status decode(std::span<const RecordView> records, BatchBuilder& out, std::vector<std::uint32_t>* good, std::vector<BadRecord>& bad) override {
    for (std::size_t i = 0; i < records.size(); ++i) {
      field_ = {};
      const char* reason = parse(records[i]);
      if (reason == nullptr) {
        for (std::size_t c = 0; c < cells_.size(); ++c) append_cell(out.column(c), cells_[c]);
        out.end_row();
        if (good != nullptr) good->push_back(static_cast<std::uint32_t>(i));
      } else if (reason != kComment && !options_.ignore_parse_errors) {
        bad.push_back({i, std::string(field_), reason});
      }
    }
    return ok();
  }

 private:
  static constexpr std::size_t kNotRead = SIZE_MAX;
  static constexpr const char* kComment = "comment";

  const char* parse(std::string_view record) {
    if (options_.allow_comments && !record.empty() && record.front() == '#') return kComment;
    std::size_t column = 0;
    std::size_t at = 0;
    while (true) {
      if (column >= schema_.size()) return "more fields than columns";
      const std::size_t target = read_[column];
      std::string scratch_unread;
      std::string& scratch = target == kNotRead ? scratch_unread : unquoted_[target];
      std::string_view text;
      bool quoted = false;
      if (const char* why = next_field(record, at, text, scratch, quoted)) {
        field_ = schema_[column].name;
        return why;
      }
      if (target != kNotRead) {
        Cell& cell = cells_[target];
        const Type& type = schema_[column].type;
        cell.null = options_.has_null_literal && !quoted && text == options_.null_literal;
        if (!cell.null) {
          if (const char* why = type.is_nested() ? elements(text, type, cell) : cell_from_text(text, type, TimestampStyle::kSql, cell)) {
            if (!options_.ignore_parse_errors) {
              field_ = schema_[column].name;
              return why;
            }
            cell.null = true;
          }
        }
      }
      ++column;
      if (at >= record.size() + 1) break;
    }
    if (column != schema_.size()) return "fewer fields than columns";
    return nullptr;
  }

  // The elements of an ARRAY or the fields of a ROW, all in one field of the record; nothing is no element, and no ROW.
  const char* elements(std::string_view text, const Type& type, Cell& cell) const {
    const bool array = type.id == TypeId::kArray;
    cell.null = !array && text.empty();
    if (cell.null) return nullptr;
    nested::Items items;
    std::deque<std::string> own;
    for (bool more = !text.empty(); more;) {
      const std::size_t end = text.find(options_.element_delimiter);
      const std::string_view part = text.substr(0, end);
      more = end != std::string_view::npos;
      text.remove_prefix(more ? end + options_.element_delimiter.size() : text.size());
      if (!array && items.size() == type.children().size()) return "more elements than the ROW has fields";
      const Type& of = type.children()[array ? 0 : items.size()];
      items.emplace_back();
      if (options_.has_null_literal && part == options_.null_literal) continue;
      Cell element;
      if (const char* why = cell_from_text(part, of, TimestampStyle::kSql, element)) return why;
      items.back() = {false, own.emplace_back(cell_bytes(element, of))};
    }
    if (!array && items.size() != type.children().size()) return "fewer elements than the ROW has fields";
    cell.owned.clear();
    if (array) {
      nested::write_array(type.children()[0], items, cell.owned);
    } else {
      nested::write_row(type, items, cell.owned);
    }
    cell.text = cell.owned;
    return nullptr;
  }

  // Reads one field from `at` and leaves `at` behind its delimiter (record.size() + 1 after the last field).
  const char* next_field(std::string_view record, std::size_t& at, std::string_view& text, std::string& scratch, bool& quoted) const {
    if (options_.quote != 0 && at < record.size() && record[at] == options_.quote) {
      quoted = true;
      return quoted_field(record, at, text, scratch);
    }
    if (options_.escape == 0) {
      const std::size_t end = std::min(record.find(options_.delimiter, at), record.size());
      text = record.substr(at, end - at);
      at = end + 1;
      return nullptr;
    }
    scratch.clear();
    while (at < record.size() && record[at] != options_.delimiter) {
      if (record[at] == options_.escape && at + 1 < record.size()) ++at;
      scratch.push_back(record[at++]);
    }
    text = scratch;
    ++at;
    return nullptr;
  }

  const char* quoted_field(std::string_view record, std::size_t& at, std::string_view& text, std::string& scratch) const {
    scratch.clear();
    ++at;
    while (at < record.size()) {
      const char c = record[at];
      if (options_.escape != 0 && c == options_.escape && at + 1 < record.size()) {
        scratch.push_back(record[at + 1]);
        at += 2;
      } else if (c == options_.quote) {
        if (at + 1 < record.size() && record[at + 1] == options_.quote) {
          scratch.push_back(c);
          at += 2;
          continue;
        }
        ++at;
        if (at < record.size() && record[at] != options_.delimiter) return "text after a closing quote";
        text = scratch;
        ++at;
        return nullptr;
      } else {
        scratch.push_back(c);
        ++at;
      }
    }
    return "a quote that is not closed";
  }

  CsvOptions options_;
  Schema schema_;
  std::vector<std::size_t> columns_;
  std::vector<std::size_t> read_;        // schema column -> output column
  std::vector<Cell> cells_;
  std::vector<std::string> unquoted_;    // per output column: text that had to be rewritten
  std::string_view field_;
};

class CsvEncoder final : public Encoder {
 public:
  CsvEncoder(const CsvOptions& options, const Schema& schema) : options_(options), schema_(schema) {}

  void encode(const Batch& batch, std::size_t row, std::string& out) override {
    SUPYO_CHECK_EQ(batch.columns.size(), schema_.size());
    for (std::size_t c = 0; c < batch.columns.size(); ++c) {
      if (c > 0) out.push_back(options_.delimiter);
      const Column& column = *batch.columns[c];
      if (column.is_null(row)) {
        out += options_.null_literal;
        continue;
      }
      text_.clear();
      if (column.type().is_nested()) append_elements(column, row);
      else append_value(column, row);
      append_quoted(text_, out);
    }
  }

  std::string header() const override {
    if (!options_.header) return {};
    std::string out;
    for (std::size_t c = 0; c < schema_.size(); ++c) {
      if (c > 0) out.push_back(options_.delimiter);
      append_quoted(schema_[c].name, out);
    }
    return out;
  }

 private:
  void append_value(const Column& column, std::size_t row) {
    const TypeId id = column.type().id;
    if (id == TypeId::kTimestamp || id == TypeId::kTimestampLtz || id == TypeId::kDate || id == TypeId::kTime) append_temporal(column, row, TimestampStyle::kSql, text_);
    else if (id == TypeId::kBytes) base64_encode(column.text(row), text_);
    else if (id == TypeId::kString) text_ += column.text(row);
    else append_text_of(column, row, text_);
  }

  void append_elements(const Column& column, std::size_t row) {
    const Type& type = column.type();
    const bool array = type.id == TypeId::kArray;
    nested::Items items;
    if (array) nested::read_array(type, column.text(row), items);
    else nested::read_row(type, column.text(row), items);
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) text_ += options_.element_delimiter;
      if (items[i].null) {
        text_ += options_.null_literal;
        continue;
      }
      ColumnBuilder one(type.children()[array ? 0 : i], 1);
      nested::append_item(one, items[i]);
      append_value(*one.finish(), 0);
    }
  }

  void append_quoted(std::string_view text, std::string& out) const {
    const bool needed = options_.quote != 0 && (text.find_first_of("\r\n") != std::string_view::npos || text.find(options_.delimiter) != std::string_view::npos ||
                                                text.find(options_.quote) != std::string_view::npos || (options_.has_null_literal && text == options_.null_literal));
    if (!needed) {
      out += text;
      return;
    }
    out.push_back(options_.quote);
    for (const char c : text) {
      if (c == options_.quote) out.push_back(options_.quote);
      out.push_back(c);
    }
    out.push_back(options_.quote);
  }

  CsvOptions options_;
  Schema schema_;
  std::string text_;
};

class RawDecoder final : public Decoder {
 public:
  explicit RawDecoder(std::size_t columns) : columns_(columns) {}
  Status decode(std::span<const RecordView> records, BatchBuilder& out, std::vector<std::uint32_t>* good, std::vector<BadRecord>&) override {
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (columns_ > 0) out.column(0).append_text(records[i]);
      out.end_row();
      if (good != nullptr) good->push_back(static_cast<std::uint32_t>(i));
    }
    return ok();
  }

 private:
  std::size_t columns_;
};

class RawEncoder final : public Encoder {
 public:
  void encode(const Batch& batch, std::size_t row, std::string& out) override {
    if (!batch.columns[0]->is_null(row)) out += batch.columns[0]->text(row);
  }
};

}  // namespace

std::unique_ptr<Decoder> make_csv_decoder(const CsvOptions& options, const Schema& schema, std::span<const std::size_t> columns) {
  return std::make_unique<CsvDecoder>(options, schema, columns);
}
std::unique_ptr<Encoder> make_csv_encoder(const CsvOptions& options, const Schema& schema) { return std::make_unique<CsvEncoder>(options, schema); }
std::unique_ptr<Decoder> make_raw_decoder(const Schema&, std::span<const std::size_t> columns) { return std::make_unique<RawDecoder>(columns.size()); }
std::unique_ptr<Encoder> make_raw_encoder() { return std::make_unique<RawEncoder>(); }

std::size_t split_csv(const CsvOptions& options, std::string_view block, bool final, std::vector<RecordView>& out) {
  std::size_t start = 0;
  bool quoted = false;
  const auto has = [](std::string_view part, char c) { return c != 0 && part.find(c) != std::string_view::npos; };
  const auto put = [&out](std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty()) out.push_back(line);
  };
  for (std::size_t at = 0; at < block.size();) {
    const std::size_t end = block.find('\n', at);
    if (end == std::string_view::npos) break;
    const std::string_view part = block.substr(at, end - at);
    if (has(part, options.quote) || has(part, options.escape)) {
      while (at < end) {
        const bool escapes = options.escape != 0 && block[at] == options.escape;
        if (!escapes && options.quote != 0 && block[at] == options.quote) quoted = !quoted;
        at += escapes ? 2 : 1;
      }
    } else {
      at = end;
    }
    if (at > end) continue;   // the line break is escaped
    ++at;
    if (quoted) continue;
    put(block.substr(start, end - start));
    start = at;
  }
  if (!final || start >= block.size()) return start;
  put(block.substr(start));
  return block.size();
}

}  // namespace supyo::formats
