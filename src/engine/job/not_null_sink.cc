#include "engine/job/not_null_sink.h"

#include <fmt/format.h>

#include "engine/job/sink_around.h"

namespace supyo::job {
namespace {

class CheckingWriter final : public WriterAround {
 public:
  CheckingWriter(std::unique_ptr<dataflow::SinkWriter> below, std::string table, const Schema& schema, const std::vector<std::size_t>& columns)
      : WriterAround(std::move(below)), table_(std::move(table)), schema_(schema), columns_(columns) {}

  Status write(const BatchPtr& batch, Epoch epoch) override {
    for (const std::size_t c : columns_) {
      const Column& column = *batch->columns[c];
      if (!column.has_nulls()) continue;
      for (std::size_t r = 0; r < batch->rows; ++r)
        if (column.is_null(r))
          return fail(ErrorCode::kNullInNotNull, fmt::format("column `{}` of `{}` is NOT NULL, but the query gave a null", schema_[c].name, table_),
                      fmt::format("filter such rows (WHERE {} IS NOT NULL), give a default (COALESCE), or declare the column without NOT NULL", schema_[c].name));
    }
    return below_->write(batch, epoch);
  }

 private:
  std::string table_;
  const Schema& schema_;
  const std::vector<std::size_t>& columns_;
};

class CheckingSink final : public SinkAround {
 public:
  CheckingSink(std::shared_ptr<dataflow::Sink> below, Schema schema, std::vector<std::size_t> columns)
      : SinkAround(std::move(below)), schema_(std::move(schema)), columns_(std::move(columns)) {}
 private:
  std::unique_ptr<dataflow::SinkWriter> around(std::unique_ptr<dataflow::SinkWriter> below, const dataflow::SinkOpen&) const override {
    return std::make_unique<CheckingWriter>(std::move(below), std::string(below_->name()), schema_, columns_);
  }

  Schema schema_;
  std::vector<std::size_t> columns_;
};

}  // namespace

std::shared_ptr<dataflow::Sink> with_not_null_check(std::shared_ptr<dataflow::Sink> sink, Schema schema, std::vector<std::size_t> columns) {
  return std::make_shared<CheckingSink>(std::move(sink), std::move(schema), std::move(columns));
}

}  // namespace supyo::job
