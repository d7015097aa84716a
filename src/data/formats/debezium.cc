#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "data/formats/codecs.h"
#include "data/formats/nested_json.h"

// debezium-json: {"before": row, "after": row, "op": "c|r|u|d", "ts_ms": .., "source": {..}}, or that as the "payload" of a record with its "schema".
// A record is one row, or the two of an update. Rules as in Flink's format of that name.
namespace supyo::formats {
namespace {

namespace sj = simdjson;

constexpr std::array<std::string_view, 7> kMetadata = {"schema", "ingestion-timestamp", "source.timestamp", "source.database", "source.schema", "source.table", "source.properties"};

/// The parts of a record, as JSON; empty where there is none.
struct Envelope {
  std::string_view schema, before, after, op, time, source;
};

class DebeziumDecoder final : public Decoder {
 public:
  DebeziumDecoder(const DebeziumOptions& options, const Schema& schema, std::span<const std::size_t> columns) : options_(options) {
    std::vector<std::size_t> in_rows;
    Schema row_schema;
    for (std::size_t position = 0; position < columns.size(); ++position) {
      const auto it = options.metadata.find(columns[position]);
      if (it != options.metadata.end()) {
        metadata_.push_back({position, it->second, schema[columns[position]].type});
        continue;
      }
      in_rows.push_back(columns[position]);
      positions_.push_back(position);
      row_schema.add(schema[columns[position]].name, schema[columns[position]].type, schema[columns[position]].nested);
    }
    rows_ = make_json_decoder(options.json, schema, in_rows);
    builder_ = std::make_unique<BatchBuilder>(row_schema, Batch::kMaxRows);
  }

  Status decode(std::span<const RecordView> records, BatchBuilder& out, std::vector<std::uint32_t>* good, std::vector<BadRecord>& bad) override {
    views_.clear();
    changes_.clear();
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].find_first_not_of(" \t\r\n") == std::string_view::npos) continue;   // what stands behind a deleted row, for compaction
      const char* why = add(records[i], i);
      if (why != nullptr && !options_.json.ignore_parse_errors) bad.push_back({i, {}, why});
    }
    in_good_.clear();
    in_bad_.clear();
    SUPYO_TRY(rows_->decode(views_, *builder_, &in_good_, in_bad_));
    const BatchPtr rows = builder_->finish();
    std::size_t row = 0, next_bad = 0;
    for (const Change& c : changes_) {
      const std::size_t first = row;
      while (row < in_good_.size() && in_good_[row] < c.view + c.views()) ++row;
      const bool whole = row - first == c.views();
      for (; next_bad < in_bad_.size() && in_bad_[next_bad].index < c.view + c.views(); ++next_bad)
        if (bad.empty() || bad.back().index != c.record) bad.push_back({c.record, in_bad_[next_bad].field, in_bad_[next_bad].reason});
      for (std::size_t r = first; whole && r < row; ++r) {
        append(*rows, r, c, out);
        out.end_row(c.kind(r - first));
        if (good != nullptr) good->push_back(static_cast<std::uint32_t>(c.record));
      }
    }
    std::ranges::sort(bad, {}, &BadRecord::index);
    return ok();
  }

 private:
  struct Metadata {
    std::size_t position;
    std::string key;
    Type type;
  };
  struct Change {
    std::size_t record = 0, view = 0;   ///< `view`: of its first row
    char op = 'c';
    Envelope envelope = {};
    std::size_t views() const { return op == 'u' ? 2 : 1; }
    RowKind kind(std::size_t which) const { return op == 'd' ? RowKind::kDelete : op != 'u' ? RowKind::kInsert : which == 0 ? RowKind::kUpdateBefore : RowKind::kUpdateAfter; }
  };

  /// The reason when it is none.
  const char* add(std::string_view record, std::size_t number) {
    Envelope e;
    if (const char* why = read(record, e)) return why;
    Change c{.record = number, .view = views_.size(), .envelope = e};
    const std::string_view op = e.op.size() == 3 && e.op.front() == '"' ? e.op.substr(1, 1) : std::string_view();
    if (op.empty() || std::string_view("crud").find(op[0]) == std::string_view::npos) return "'op' is none of c, r, u and d";
    c.op = op[0];
    if (c.op != 'd' && e.after.empty()) return "the row that was written is missing ('after')";
    if ((c.op == 'u' || c.op == 'd') && e.before.empty()) return "the row as it was is missing ('before'): of a PostgreSQL table, set REPLICA IDENTITY to FULL";
    if (c.op == 'u' || c.op == 'd') views_.push_back(e.before);
    if (c.op != 'd') views_.push_back(e.after);
    changes_.push_back(c);
    return nullptr;
  }

  /// Views into `record`; it is read from a copy, with room behind it.
  const char* read(std::string_view record, Envelope& e) {
    copy_.assign(record);
    copy_.resize(record.size() + sj::SIMDJSON_PADDING);
    sj::ondemand::document doc;
    if (const auto error = parser_.iterate(copy_.data(), record.size(), copy_.size()).get(doc)) return sj::error_message(error);
    sj::ondemand::object root;
    if (doc.get_object().get(root)) return "not a JSON object";
    if (const char* why = options_.schema_include ? read_with_schema(root, record, e) : read_parts(root, record, e)) return why;
    return doc.current_location().error() == sj::SUCCESS ? "more than one JSON value in a record" : nullptr;
  }

  const char* read_with_schema(sj::ondemand::object& root, std::string_view record, Envelope& e) {
    bool payload = false;
    const char* why = each_field(root, [&](std::string_view key, sj::ondemand::value& value) -> const char* {
      if (key == "schema") return take(value, record, e.schema);
      if (key != "payload") return nullptr;
      sj::ondemand::object object;
      if (value.get_object().get(object)) return "'payload' is no JSON object";
      payload = true;
      return read_parts(object, record, e);
    });
    return why != nullptr ? why : payload ? nullptr : "the record has no 'payload': is 'debezium-json.schema-include' right?";
  }

  const char* read_parts(sj::ondemand::object& object, std::string_view record, Envelope& e) {
    return each_field(object, [&](std::string_view key, sj::ondemand::value& value) -> const char* {
      std::string_view* part = key == "before" ? &e.before : key == "after" ? &e.after : key == "op" ? &e.op : key == "ts_ms" ? &e.time : key == "source" ? &e.source : nullptr;
      return part == nullptr ? nullptr : take(value, record, *part);
    });
  }

  template <class F>
  static const char* each_field(sj::ondemand::object& object, F&& f) {
    for (auto one : object) {
      sj::ondemand::field field;
      if (const auto error = std::move(one).get(field)) return sj::error_message(error);
      std::string_view key;
      if (field.unescaped_key().get(key)) return "malformed name";
      sj::ondemand::value value = field.value();
      if (const char* why = f(key, value)) return why;
    }
    return nullptr;
  }

  /// The value's JSON; null is none.
  const char* take(sj::ondemand::value& value, std::string_view record, std::string_view& out) const {
    std::string_view raw;
    if (const auto error = sj::to_json_string(value).get(raw)) return sj::error_message(error);
    while (!raw.empty() && static_cast<unsigned char>(raw.back()) <= ' ') raw.remove_suffix(1);
    out = raw == "null" ? std::string_view() : record.substr(static_cast<std::size_t>(raw.data() - copy_.data()), raw.size());
    return nullptr;
  }

  void append(const Batch& rows, std::size_t row, const Change& c, BatchBuilder& out) {
    for (std::size_t i = 0; i < positions_.size(); ++i) out.column(positions_[i]).append_from(*rows.columns[i], row);
    for (const Metadata& m : metadata_) append_metadata(m, c.envelope, out.column(m.position));
  }

  void append_metadata(const Metadata& m, const Envelope& e, ColumnBuilder& out) {
    if (m.key == "schema") return e.schema.empty() ? out.append_null() : out.append_text(e.schema);
    if (m.key == "ingestion-timestamp") return append_time(e.time, out);
    read_source(e.source);
    if (m.key == "source.properties") {
      if (e.source.empty()) return out.append_null();
      nested::Items keys, values;
      for (const auto& [key, value] : source_) {
        keys.push_back({.null = false, .bytes = key});
        values.push_back(value ? nested::Item{.null = false, .bytes = *value} : nested::Item{});
      }
      std::string bytes;
      nested::write_map(m.type.children()[0], m.type.children()[1], keys, values, bytes);
      return out.append_text(bytes);
    }
    const std::string_view name = m.key == "source.timestamp" ? "ts_ms" : m.key == "source.database" ? "db" : std::string_view(m.key).substr(7);
    const auto it = std::ranges::find(source_, name, &Property::first);
    if (it == source_.end() || !it->second) return out.append_null();
    if (name == "ts_ms") return append_time(*it->second, out);
    out.append_text(*it->second);
  }

  static void append_time(std::string_view text, ColumnBuilder& out) {
    std::int64_t ms = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (error != std::errc() || end != text.data() + text.size() || ms > INT64_MAX / kMillisecond || ms < INT64_MIN / kMillisecond) return out.append_null();
    out.append_integer(ms * kMillisecond);
  }

  /// The fields of "source" as texts.
  void read_source(std::string_view json) {
    source_.clear();
    if (json.empty()) return;
    std::string padded(json);
    padded.resize(json.size() + sj::SIMDJSON_PADDING);
    sj::ondemand::document doc;
    sj::ondemand::object object;
    if (parser_.iterate(padded.data(), json.size(), padded.size()).get(doc) || doc.get_object().get(object)) return;
    (void)each_field(object, [&](std::string_view key, sj::ondemand::value& value) -> const char* {
      std::string name(key);
      std::string_view text;
      sj::ondemand::json_type kind;
      if (value.type().get(kind)) return "malformed value";
      if (kind == sj::ondemand::json_type::string ? value.get_string().get(text) : sj::to_json_string(value).get(text)) return "malformed value";
      while (kind != sj::ondemand::json_type::string && !text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
      source_.emplace_back(std::move(name), kind == sj::ondemand::json_type::null ? std::nullopt : std::optional<std::string>(text));
      return nullptr;
    });
  }

  using Property = std::pair<std::string, std::optional<std::string>>;
  DebeziumOptions options_;
  std::unique_ptr<Decoder> rows_;
  std::unique_ptr<BatchBuilder> builder_;    // of the columns that are in the rows
  std::vector<std::size_t> positions_;       // where they go
  std::vector<Metadata> metadata_;
  sj::ondemand::parser parser_;
  std::string copy_;
  std::vector<Property> source_;
  // Of one call; reused.
  std::vector<RecordView> views_;
  std::vector<Change> changes_;
  std::vector<std::uint32_t> in_good_;
  std::vector<BadRecord> in_bad_;
};

class DebeziumEncoder final : public Encoder {
 public:
  DebeziumEncoder(const JsonOptions& options, const Schema& schema) : rows_(make_json_encoder(options, schema)) {}
  void encode(const Batch& batch, std::size_t row, std::string& out) override {
    const bool removed = is_retraction(batch.kind(row));
    out += removed ? R"({"before":)" : R"({"before":null,"after":)";
    rows_->encode(batch, row, out);
    out += removed ? R"(,"after":null,"op":"d"})" : R"(,"op":"c"})";
  }
  Status status() const override { return rows_->status(); }

 private:
  std::unique_ptr<Encoder> rows_;
};

}  // namespace

std::span<const std::string_view> debezium_metadata() { return kMetadata; }

std::unique_ptr<Decoder> make_debezium_decoder(const DebeziumOptions& options, const Schema& schema, std::span<const std::size_t> columns) {
  return std::make_unique<DebeziumDecoder>(options, schema, columns);
}
std::unique_ptr<Encoder> make_debezium_encoder(const JsonOptions& options, const Schema& schema) { return std::make_unique<DebeziumEncoder>(options, schema); }

}  // namespace supyo::formats
