#include "engine/job/not_null_sink.h"

#include <fmt/format.h>

namespace supyo::job {
namespace {

class CheckingWriter final : public dataflow::SinkWriter {
 public:
  CheckingWriter(std::unique_ptr<dataflow::SinkWriter> below, std::string table, const Schema& schema, const std::vector<std::size_t>& columns)
      : below_(std::move(below)), table_(std::move(table)), schema_(schema), columns_(columns) {}

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
  void watermark(TimeUs us) override { below_->watermark(us); }
  Status closing() override { return below_->closing(); }
  Status begin_prepare(Epoch e) override { return below_->begin_prepare(e); }
  Result<dataflow::PolledPrepare> poll_prepare(Epoch e) override { return below_->poll_prepare(e); }

 private:
  std::unique_ptr<dataflow::SinkWriter> below_;
  std::string table_;
  const Schema& schema_;
  const std::vector<std::size_t>& columns_;
};

class CheckingSink final : public dataflow::Sink {
 public:
  CheckingSink(std::shared_ptr<dataflow::Sink> below, Schema schema, std::vector<std::size_t> columns)
      : below_(std::move(below)), schema_(std::move(schema)), columns_(std::move(columns)) {}
  std::string_view name() const override { return below_->name(); }
  DeliveryGuarantee guarantee() const override { return below_->guarantee(); }
  bool readable_as_written() const override { return below_->readable_as_written(); }
  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen& open) override { return below_->open_committer(open); }
  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen& open, std::uint32_t shard) override {
    SUPYO_ASSIGN(auto writer, below_->open_writer(open, shard));
    return std::make_unique<CheckingWriter>(std::move(writer), std::string(below_->name()), schema_, columns_);
  }

 private:
  std::shared_ptr<dataflow::Sink> below_;
  Schema schema_;
  std::vector<std::size_t> columns_;
};

}  // namespace

std::shared_ptr<dataflow::Sink> with_not_null_check(std::shared_ptr<dataflow::Sink> sink, Schema schema, std::vector<std::size_t> columns) {
  return std::make_shared<CheckingSink>(std::move(sink), std::move(schema), std::move(columns));
}

}  // namespace supyo::job
