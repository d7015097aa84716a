#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>

#include "connect/jdbc/jdbc.h"
#include "connect/jdbc/session.h"
#include "connect/jdbc/statements.h"
#include "data/types/row_codec.h"
#include "data/types/value.h"

namespace supyo::connect {
namespace {

using namespace jdbc;   // the room's own
using dataflow::Poll;

constexpr std::size_t kPageRows = 4096;
constexpr std::string_view kEnd = "end", kAfterKey = "key:", kAfterRows = "rows:";   // of positions

/// Part of the table: values of a column from `from` to `to`.
struct Range {
  std::string column;
  std::int64_t from = 0, to = 0;
};

struct Config {
  Where where;
  Schema read;                        ///< the columns asked for
  Schema selected;                    ///< and then those of the key that are not among them
  std::vector<std::size_t> key;       ///< of `selected`: pages go by it; empty: through a cursor
  std::vector<Range> ranges;          ///< empty: one split, of all rows
  std::size_t page_rows = kPageRows;
  TimeUs opened_us = 0;
};

/// Reads one split after the other. Position: "" = from the start, "key:" and the key that was read last, "rows:" and how many were read, "end".
class Reader final : public dataflow::SourceReader {
 public:
  Reader(std::shared_ptr<const Config> config, std::vector<dataflow::Split> splits, const env::Env& env)
      : config_(std::move(config)), splits_(std::move(splits)), env_(env), statements_(config_->where, config_->selected), key_codec_(types_of_key()), key_builder_(schema_of_key()) {}

  Result<Poll> poll(std::size_t, dataflow::SourceOutput& out) override {
    while (at_ < splits_.size() && splits_[at_].position == kEnd) ++at_;
    if (at_ == splits_.size()) return Poll::done();
    if (!session_) {
      SUPYO_ASSIGN(session_, open_session(config_->where));
    }
    SUPYO_ASSIGN(Answer page, config_->key.empty() ? fetch() : next_page());
    std::size_t rows = 0;
    for (const BatchPtr& batch : page.rows) rows += batch->rows;
    SUPYO_TRY(emit(page, out));
    if (rows == config_->page_rows) return Poll::more();
    splits_[at_].position = kEnd;
    if (std::exchange(cursor_open_, false)) SUPYO_TRY(session_->run("COMMIT"));
    return Poll::more();
  }

  std::vector<dataflow::SplitPosition> positions() const override {
    std::vector<dataflow::SplitPosition> out;
    for (const dataflow::Split& s : splits_) out.push_back({s.id, s.position});
    return out;
  }

 private:
  Schema schema_of_key() const {
    Schema s;
    for (const std::size_t k : config_->key) s.add(config_->selected[k].name, config_->selected[k].type);
    return s;
  }
  std::vector<Type> types_of_key() const { return schema_of_key().types(); }
  std::string in_range() const {
    if (config_->ranges.empty()) return {};
    const Range& r = config_->ranges[range_of(splits_[at_].id)];
    return fmt::format("{} BETWEEN {} AND {}", quoted(r.column), r.from, r.to);
  }
  static std::size_t range_of(std::string_view id) {
    std::size_t n = 0;
    id.remove_prefix(id.rfind('/') + 1);
    std::from_chars(id.data(), id.data() + id.size(), n);
    return n;
  }

  /// WHERE (a, b) > (..) ORDER BY a, b LIMIT n.
  Result<Answer> next_page() {
    const Schema key = schema_of_key();
    const std::string& position = splits_[at_].position;
    const std::string names = quoted_list(key);
    std::string where = in_range();
    BatchPtr after;
    if (!position.empty()) {
      std::vector<ColumnBuilder*> columns;
      for (std::size_t i = 0; i < key.size(); ++i) columns.push_back(&key_builder_.column(i));
      if (!position.starts_with(kAfterKey) || !key_codec_.decode(std::string_view(position).substr(kAfterKey.size()), columns)) return lost();
      key_builder_.end_row();
      after = key_builder_.finish();
      std::string places;
      for (std::size_t i = 0; i < key.size(); ++i) places += (i == 0 ? "" : ", ") + statements_.place(i + 1, key[i].type);
      where += fmt::format("{}({}) > ({})", where.empty() ? "" : " AND ", names, places);
    }
    const std::string sql = statements_.select(config_->selected, fmt::format("{}{} ORDER BY {} LIMIT {}", where.empty() ? "" : " WHERE ", where, names, config_->page_rows));
    std::vector<std::size_t> all(key.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    SUPYO_ASSIGN(Answer page, session_->query(sql, after ? Parameters{after.get(), all, 0, 1} : Parameters{}, config_->selected));
    for (const BadValue& b : page.bad)
      if (std::ranges::find(config_->key, b.column) != config_->key.end())
        return fail(ErrorCode::kMalformedRecord, fmt::format("{}: the key column '{}' holds '{}': {}", config_->where.text(), config_->selected[b.column].name, b.text, b.reason), "rows cannot be told apart: correct the row, or declare the column as it is there");
    if (!page.rows.empty()) {
      std::vector<ColumnPtr> last;
      for (const std::size_t k : config_->key) last.push_back(page.rows.back()->columns[k]);
      next_position_ = kAfterKey;
      key_codec_.encode(last, page.rows.back()->rows - 1, next_position_);
    }
    return page;
  }

  /// All rows in the order of all columns, which is the same whenever the same rows are there.
  Result<Answer> fetch() {
    std::uint64_t read = 0;
    const std::string& position = splits_[at_].position;
    if (!position.empty()) {
      const std::string_view digits = std::string_view(position).substr(std::min(kAfterRows.size(), position.size()));
      if (!position.starts_with(kAfterRows) || std::from_chars(digits.data(), digits.data() + digits.size(), read).ec != std::errc()) return lost();
    }
    if (!cursor_open_) {
      std::string order;
      for (std::size_t i = 1; i <= config_->selected.size(); ++i) order += fmt::format("{}{}", order.empty() ? " ORDER BY " : ", ", i);
      const std::string range = in_range();
      SUPYO_TRY(session_->run("BEGIN READ ONLY"));
      SUPYO_TRY(session_->run("DECLARE supyo_rows NO SCROLL CURSOR FOR " +
                              statements_.select(config_->selected, fmt::format("{}{}{} OFFSET {}", range.empty() ? "" : " WHERE ", range, order, read))));
      cursor_open_ = true;
    }
    SUPYO_ASSIGN(Answer page, session_->query(fmt::format("FETCH {} FROM supyo_rows", config_->page_rows), {}, config_->selected));
    for (const BatchPtr& batch : page.rows) read += batch->rows;
    next_position_ = fmt::format("{}{}", kAfterRows, read);
    return page;
  }

  std::unexpected<Error> lost() const { return fail(ErrorCode::kStateOfOtherJob, fmt::format("{}: the position in the state is not one of this table", config_->where.text()), "begin with a new state directory"); }

  Status emit(const Answer& page, dataflow::SourceOutput& out) {
    const TimeUs now = env_.clock.now_us();
    const auto split = static_cast<std::uint32_t>(at_);
    std::size_t first = 0;
    auto bad = page.bad.begin();
    for (const BatchPtr& batch : page.rows) {
      std::vector<std::uint32_t> good;
      for (std::size_t row = 0; row < batch->rows; ++row) {
        if (bad == page.bad.end() || bad->row != first + row) {
          good.push_back(static_cast<std::uint32_t>(row));
          continue;
        }
        const BadValue& b = *bad;
        while (bad != page.bad.end() && bad->row == first + row) ++bad;
        if (b.column >= config_->read.size()) continue;
        SUPYO_TRY(out.dead({.split = split, .position = fmt::format("{}: {}", config_->where.text(), row_text(*batch, row)), .field = config_->selected[b.column].name, .reason = b.reason, .raw = b.text, .produce_us = now}));
      }
      first += batch->rows;
      if (good.empty()) continue;
      auto rows = std::make_shared<Batch>(good.size() == batch->rows ? *batch : *take(*batch, good));
      rows->columns.resize(config_->read.size());
      SUPYO_TRY(out.emit({.split = split, .batch = rows, .produce_us = std::vector<TimeUs>(rows->rows, now)}));
    }
    if (!page.rows.empty()) splits_[at_].position = next_position_;
    return ok();
  }

  std::string row_text(const Batch& batch, std::size_t row) const {
    std::string text;
    for (const std::size_t k : config_->key) {
      text += fmt::format("{}{} = ", text.empty() ? "" : ", ", config_->selected[k].name);
      append_text_of(*batch.columns[k], row, text);
    }
    return text.empty() ? fmt::format("row {}", row + 1) : text;
  }

  std::shared_ptr<const Config> config_;
  std::vector<dataflow::Split> splits_;
  env::Env env_;
  Statements statements_;
  RowCodec key_codec_;
  BatchBuilder key_builder_;
  std::unique_ptr<Session> session_;
  std::size_t at_ = 0;
  bool cursor_open_ = false;
  std::string next_position_;
};

class JdbcSource final : public dataflow::Source {
 public:
  explicit JdbcSource(Config config) : config_(std::make_shared<const Config>(std::move(config))) {}
  std::string_view name() const override { return config_->where.name; }
  bool bounded() const override { return true; }

  Result<std::vector<dataflow::Split>> splits() override {
    SUPYO_ASSIGN(const auto session, open_session(config_->where));
    SUPYO_TRY(session->check(Statements(config_->where, config_->selected).select(config_->selected, " LIMIT 0"), config_->selected, false));
    std::vector<dataflow::Split> out;
    for (std::size_t i = 0; i < std::max<std::size_t>(1, config_->ranges.size()); ++i) out.push_back({.id = fmt::format("{}/{}", config_->where.table, i), .position = {}});
    return out;
  }
  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env& env) override {
    return std::make_unique<Reader>(config_, std::move(splits), env);
  }

 private:
  std::shared_ptr<const Config> config_;
};

/// As Flink cuts them: equal parts, the last one up to the upper bound. Rows outside the bounds are not read.
Result<std::vector<Range>> ranges_of(const catalog::TableDefinition& table) {
  const catalog::ConnectorDescriptor d = jdbc_descriptor();
  constexpr std::string_view kKeys[] = {"scan.partition.column", "scan.partition.num", "scan.partition.lower-bound", "scan.partition.upper-bound"};
  const auto given = std::ranges::count_if(kKeys, [&](std::string_view k) { return table.options.contains(std::string(k)); });
  if (given == 0) return std::vector<Range>{};
  if (given != 4) return fail(ErrorCode::kMissingOption, fmt::format("table '{}': some of the options 'scan.partition.*' are missing", table.path.name), fmt::format("all or none: {}", fmt::join(kKeys, ", ")));
  const std::string column = catalog::option_text(table.options, d, kKeys[0]);
  const Schema schema = table.schema();
  const auto at = schema.find(column);
  if (!at) return fail(ErrorCode::kUnknownColumn, fmt::format("table '{}': 'scan.partition.column' is '{}', which is no column", table.path.name, column));
  if (!schema[*at].type.is_integer()) return fail(ErrorCode::kUnsupported, fmt::format("table '{}': 'scan.partition.column' of type {}", table.path.name, schema[*at].type.to_string()), "name a column of an integer type");
  const std::int64_t low = catalog::option_integer(table.options, d, kKeys[2]), high = catalog::option_integer(table.options, d, kKeys[3]);
  std::int64_t count = catalog::option_integer(table.options, d, kKeys[1]);
  if (low > high || count < 1 || count > 1000) return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': 'scan.partition.*' name no ranges", table.path.name), "1 to 1000 ranges; the lower bound is not above the upper one");
  const auto values = static_cast<unsigned __int128>(static_cast<__int128>(high) - low + 1);
  count = static_cast<std::int64_t>(std::min<unsigned __int128>(static_cast<unsigned __int128>(count), values));
  std::vector<Range> out;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto cut = [&](std::int64_t n) { return static_cast<std::int64_t>(low + static_cast<__int128>(values * static_cast<unsigned __int128>(n) / static_cast<unsigned __int128>(count))); };
    out.push_back({column, cut(i), i + 1 == count ? high : cut(i + 1) - 1});
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<dataflow::Source>> make_jdbc_source(const catalog::SourceRequest& request, const env::Env& env) {
  (void)env;
  Config c;
  SUPYO_ASSIGN(c.where, where_of(request.table, request.base_directory));
  const Schema schema = request.table.schema();
  for (const std::size_t i : request.columns) c.read.add(schema[i].name, schema[i].type, schema[i].nested);
  SUPYO_TRY(check_types(c.where, schema));
  c.selected = c.read;
  Schema keys;
  for (const std::string& k : request.table.primary_key)
    if (const auto i = schema.find(k)) keys.add(k, schema[*i].type);
  if (keys.size() == 0 && c.where.dialect == Dialect::kSqlite) keys.add("rowid", Type::big_int().not_null());
  for (const Field& k : keys.fields()) {
    auto at = c.selected.find(k.name);
    if (!at) c.selected.add(k.name, k.type), at = c.selected.size() - 1;
    c.key.push_back(*at);
  }
  SUPYO_ASSIGN(c.ranges, ranges_of(request.table));
  const std::int64_t rows = catalog::option_integer(request.table.options, jdbc_descriptor(), "scan.fetch-size");
  if (rows < 0 || rows > 1'000'000) return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': 'scan.fetch-size' is {}", request.table.path.name, rows), "0 to 1000000");
  if (rows > 0) c.page_rows = static_cast<std::size_t>(rows);
  return std::make_shared<JdbcSource>(std::move(c));
}

}  // namespace supyo::connect
