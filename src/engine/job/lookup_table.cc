#include "engine/job/lookup_table.h"

#include <fmt/format.h>

namespace supyo::job {
namespace {

constexpr std::size_t kRowsAtOnce = 4096;

class Rows final : public dataflow::SourceOutput {
 public:
  Rows(const LookupTable& table, const env::Env& env) : table_(table), eval_({.now_us = env.clock.now_us(), .zone = table.zone, .random = &env.random}) {}

  Status emit(dataflow::SourceBatch b) override {
    if (!b.batch) return ok();
    const Batch& in = *b.batch;
    for (std::size_t c = 0; c < table_.not_null.size(); ++c) {
      for (std::size_t row = 0; table_.not_null[c] && in.columns[c]->has_nulls() && row < in.rows; ++row)
        if (in.columns[c]->is_null(row))
          return fail(ErrorCode::kNullInNotNull, fmt::format("{}: null in the NOT NULL column `{}`", b.position_of ? b.position_of(row) : "table '" + table_.name + "'", table_.input[c].name), "a table that is looked up is read whole or not at all: correct the row");
    }
    BatchPtr part = b.batch;
    if (table_.filter) {
      std::vector<std::uint32_t> chosen;
      SUPYO_TRY(expr::select_true(*table_.filter, in, eval_, chosen));
      if (chosen.empty()) return ok();
      part = take(in, chosen);
    }
    auto out = std::make_shared<Batch>();
    out->rows = part->rows;
    for (const expr::ExprPtr& e : table_.projections) {
      SUPYO_ASSIGN(ColumnPtr column, expr::evaluate(*e, *part, eval_));
      out->columns.push_back(std::move(column));
    }
    rows_.push_back(std::move(out));
    return ok();
  }
  Status dead(dataflow::DeadRecord r) override {
    return fail(ErrorCode::kMalformedRecord, fmt::format("{}: {}{}", r.position, r.field.empty() ? "" : "`" + r.field + "`: ", r.reason), "a table that is looked up is read whole or not at all: correct the record");
  }
  void quiet(std::uint32_t) override {}

  std::vector<BatchPtr> take_rows() { return std::move(rows_); }

 private:
  const LookupTable& table_;
  expr::EvalContext eval_;
  std::vector<BatchPtr> rows_;
};

Result<std::vector<BatchPtr>> read(const LookupTable& table, const env::Env& env) {
  Rows rows(table, env);
  SUPYO_ASSIGN(auto splits, table.source->splits());
  if (splits.empty()) return std::vector<BatchPtr>{};
  SUPYO_ASSIGN(const auto reader, table.source->open(std::move(splits), env));
  for (;;) {
    SUPYO_ASSIGN(const dataflow::Poll poll, reader->poll(kRowsAtOnce, rows));
    if (poll.progress == dataflow::Progress::kDone) return rows.take_rows();
    if (poll.progress != dataflow::Progress::kMore) return fail(ErrorCode::kUnsupported, "its rows are not there yet, and looking up cannot wait for them", "name a file or a directory");
  }
}

class Projected final : public dataflow::Lookup {
 public:
  Projected(std::unique_ptr<dataflow::Lookup> lookup, LookupTable table, const env::Env& env) : lookup_(std::move(lookup)), table_(std::move(table)), env_(env) {}
  std::size_t most_keys() const override { return lookup_->most_keys(); }
  Result<std::vector<BatchPtr>> find(const Batch& keys) override {
    auto found = lookup_->find(keys);
    if (!found) return fail(std::move(found).error().with_context(fmt::format("looking rows up in table '{}'", table_.name)));
    Rows rows(table_, env_);
    for (BatchPtr& batch : *found) SUPYO_TRY(rows.emit({.split = 0, .batch = std::move(batch), .produce_us = {}}));
    return rows.take_rows();
  }

 private:
  std::unique_ptr<dataflow::Lookup> lookup_;
  LookupTable table_;
  env::Env env_;
};

}  // namespace

std::unique_ptr<dataflow::Lookup> with_projections(std::unique_ptr<dataflow::Lookup> lookup, LookupTable table, const env::Env& env) {
  return std::make_unique<Projected>(std::move(lookup), std::move(table), env);
}

Result<std::vector<BatchPtr>> read_table(const LookupTable& table, const env::Env& env) {
  auto rows = read(table, env);
  if (!rows) return fail(std::move(rows).error().with_context(fmt::format("reading table '{}' to look rows up in it", table.name)));
  return rows;
}

}  // namespace supyo::job
