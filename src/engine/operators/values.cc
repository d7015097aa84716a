#include "engine/operators/values.h"

#include <charconv>

#include "data/types/builder.h"

namespace supyo::operators {
namespace {

struct Table {
  Schema schema;
  std::vector<std::vector<Value>> rows;
};

class ValuesReader final : public dataflow::SourceReader {
 public:
  ValuesReader(std::shared_ptr<const Table> table, const env::Env& env, std::optional<std::size_t> next) : table_(std::move(table)), env_(env), next_(next) {}

  Result<dataflow::Poll> poll(std::size_t budget_rows, dataflow::SourceOutput& out) override {
    if (!next_ || *next_ >= table_->rows.size()) return dataflow::Poll::done();
    const std::size_t count = std::min({budget_rows, Batch::kMaxRows, table_->rows.size() - *next_});
    BatchBuilder builder(table_->schema, count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto& row = table_->rows[*next_ + i];
      for (std::size_t c = 0; c < row.size(); ++c) append_value(builder.column(c), row[c]);
      builder.end_row();
    }
    *next_ += count;
    SUPYO_TRY(out.emit({.split = 0, .batch = builder.finish(), .produce_us = std::vector<TimeUs>(count, env_.clock.now_us())}));
    return *next_ < table_->rows.size() ? dataflow::Poll::more() : dataflow::Poll::done();
  }

  std::vector<dataflow::SplitPosition> positions() const override {
    if (!next_) return {};
    return {{.split_id = "values", .position = std::to_string(*next_)}};
  }

 private:
  std::shared_ptr<const Table> table_;
  const env::Env& env_;
  std::optional<std::size_t> next_;  ///< nothing: another shard has the split
};

class ValuesSource final : public dataflow::Source {
 public:
  explicit ValuesSource(std::shared_ptr<const Table> table) : table_(std::move(table)) {}
  std::string_view name() const override { return "Values"; }
  Result<std::vector<dataflow::Split>> splits() override { return std::vector<dataflow::Split>{{.id = "values", .position = {}}}; }
  bool bounded() const override { return true; }
  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env& env) override {
    std::optional<std::size_t> next;
    if (!splits.empty()) {
      const std::string& p = splits[0].position;
      std::size_t n = 0;
      if (!p.empty() && std::from_chars(p.data(), p.data() + p.size(), n).ec != std::errc{}) {
        return fail(ErrorCode::kDamaged, "VALUES: the saved position '" + p + "' is not a number");
      }
      next = n;
    }
    return std::make_unique<ValuesReader>(table_, env, next);
  }

 private:
  std::shared_ptr<const Table> table_;
};

}  // namespace

std::shared_ptr<dataflow::Source> make_values(Schema schema, std::vector<std::vector<Value>> rows) {
  return std::make_shared<ValuesSource>(std::make_shared<const Table>(Table{std::move(schema), std::move(rows)}));
}

}  // namespace supyo::operators
