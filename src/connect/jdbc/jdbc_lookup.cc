#include <fmt/format.h>

#include <bit>
#include <numeric>

#include "connect/jdbc/jdbc.h"
#include "connect/jdbc/session.h"
#include "connect/jdbc/statements.h"

namespace supyo::connect {
namespace {

using namespace jdbc;   // the room's own

constexpr std::size_t kMostKeys = 256;

class JdbcLookup final : public dataflow::Lookup {
 public:
  /// `asked`: the key columns, under the types asked with.
  JdbcLookup(Where where, Schema read, Schema asked, std::int64_t retries)
      : where_(std::move(where)), read_(std::move(read)), retries_(retries), columns_(asked.size()), statements_(where_, asked, places(asked.size())) {
    std::iota(columns_.begin(), columns_.end(), std::size_t{0});
  }

  Status open() {
    SUPYO_ASSIGN(session_, open_session(where_));
    return session_->check(statements_.select(read_, " LIMIT 0"), read_, false);
  }

  std::size_t most_keys() const override { return kMostKeys; }
  Result<std::vector<BatchPtr>> find(const Batch& keys) override {
    // As many as a power of two, the last one several times: few statements serve all sizes, and a row comes once.
    std::vector<std::uint32_t> asked(std::bit_ceil(keys.rows), static_cast<std::uint32_t>(keys.rows - 1));
    std::iota(asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(keys.rows), std::uint32_t{0});
    const BatchPtr padded = take(keys, asked);
    SUPYO_ASSIGN(Answer answer, ask({padded.get(), columns_, 0, padded->rows}));
    if (answer.bad.empty()) return std::move(answer.rows);
    const BadValue& b = answer.bad.front();
    return fail(ErrorCode::kMalformedRecord, fmt::format("{}: column '{}' holds '{}': {}", where_.text(), read_[b.column].name, b.text, b.reason), "a table that is looked up has no dead records: correct the row, or declare the column as it is there");
  }

 private:
  static std::vector<std::size_t> places(std::size_t count) {
    std::vector<std::size_t> out(count);
    std::iota(out.begin(), out.end(), std::size_t{0});
    return out;
  }

  Result<Answer> ask(const Parameters& keys) {
    for (std::int64_t tried = 0;; ++tried) {
      auto answer = try_to_ask(keys);
      if (answer || !may_be_tried_again(answer.error()) || tried >= retries_) return answer;
      session_.reset();
    }
  }
  Result<Answer> try_to_ask(const Parameters& keys) {
    if (!session_) {
      SUPYO_ASSIGN(session_, open_session(where_));
    }
    return session_->query(statements_.select_by_key(read_, keys.count), keys, read_);
  }

  Where where_;
  Schema read_;
  std::int64_t retries_;
  std::vector<std::size_t> columns_;   // of the keys' batch: all
  Statements statements_;
  std::unique_ptr<Session> session_;
};

}  // namespace

Result<std::unique_ptr<dataflow::Lookup>> make_jdbc_lookup(const catalog::SourceRequest& request, const dataflow::LookupKeys& keys, const env::Env& env) {
  (void)env;
  SUPYO_ASSIGN(const Where where, where_of(request.table, request.base_directory));
  const Schema schema = request.table.schema();
  SUPYO_TRY(check_types(where, schema));
  Schema read, asked;
  for (const std::size_t i : request.columns) read.add(schema[i].name, schema[i].type);
  for (std::size_t i = 0; i < keys.columns.size(); ++i) asked.add(schema[keys.columns[i]].name, keys.types[i]);
  auto lookup = std::make_unique<JdbcLookup>(where, std::move(read), std::move(asked), catalog::option_integer(request.table.options, jdbc_descriptor(), "lookup.max-retries"));
  SUPYO_TRY(lookup->open());
  return std::unique_ptr<dataflow::Lookup>(std::move(lookup));
}

Result<dataflow::LookupCache> jdbc_lookup_cache(const catalog::Options& options) {
  const catalog::ConnectorDescriptor d = jdbc_descriptor();
  dataflow::LookupCache out;
  const bool old = options.contains("lookup.cache.max-rows") || options.contains("lookup.cache.ttl");
  const std::string kind = catalog::option_text(options, d, "lookup.cache");
  if (!old && (kind == "NONE" || kind == "none")) return out;
  const auto key = [&](std::string_view now, std::string_view before) { return std::string(options.contains(std::string(before)) ? before : now); };
  const std::int64_t rows = catalog::option_integer(options, d, key("lookup.partial-cache.max-rows", "lookup.cache.max-rows"));
  if (rows < 0) return fail(ErrorCode::kBadOptionValue, fmt::format("a lookup cache of {} rows", rows));
  out.max_keys = static_cast<std::size_t>(rows);
  const std::string write = key("lookup.partial-cache.expire-after-write", "lookup.cache.ttl");
  if (options.contains(write)) out.after_write_us = catalog::option_duration(options, d, write);
  if (options.contains("lookup.partial-cache.expire-after-access")) out.after_access_us = catalog::option_duration(options, d, "lookup.partial-cache.expire-after-access");
  out.missing_keys = catalog::option_boolean(options, d, key("lookup.partial-cache.cache-missing-key", "lookup.cache.caching-missing-key"));
  return out;
}

}  // namespace supyo::connect
