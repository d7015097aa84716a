#include "engine/job/identity_sink.h"

#include "core/base/hash.h"
#include "data/types/row_codec.h"
#include "engine/job/sink_around.h"

namespace supyo::job {
namespace {

class TellingWriter final : public WriterAround {
 public:
  TellingWriter(std::unique_ptr<dataflow::SinkWriter> below, const std::vector<std::size_t>& columns, std::uint64_t sink, VisibilityObserver& observer)
      : WriterAround(std::move(below)), columns_(columns), sink_(sink), observer_(observer) {}

  Status write(const BatchPtr& batch, Epoch epoch) override {
    std::vector<ColumnPtr> keys;
    for (const std::size_t c : columns_) keys.push_back(batch->columns[c]);
    hashes_.resize(batch->rows);
    hash_rows(keys, batch->rows, hashes_);
    std::size_t kept = 0;
    for (std::size_t r = 0; r < batch->rows; ++r)
      if (batch->kind(r) == RowKind::kInsert)
        hashes_[kept++] = hash_combine(sink_, hashes_[r]);   // the same result in two tables is in neither twice
    hashes_.resize(kept);
    if (kept > 0) observer_.sink_identities(epoch, hashes_);
    return below_->write(batch, epoch);
  }

 private:
  const std::vector<std::size_t>& columns_;
  std::uint64_t sink_;
  VisibilityObserver& observer_;
  std::vector<std::uint64_t> hashes_;
};

class TellingSink final : public SinkAround {
 public:
  TellingSink(std::shared_ptr<dataflow::Sink> below, std::vector<std::size_t> columns, VisibilityObserver& observer)
      : SinkAround(std::move(below)), columns_(std::move(columns)), observer_(observer) {}
 private:
  std::unique_ptr<dataflow::SinkWriter> around(std::unique_ptr<dataflow::SinkWriter> below, const dataflow::SinkOpen& open) const override {
    return std::make_unique<TellingWriter>(std::move(below), columns_, hash_bytes(open.job.sink_id), observer_);
  }

  std::vector<std::size_t> columns_;
  VisibilityObserver& observer_;
};

}  // namespace

std::shared_ptr<dataflow::Sink> with_identities(std::shared_ptr<dataflow::Sink> sink, const Schema& schema, const std::vector<std::string>& columns, VisibilityObserver& observer) {
  std::vector<std::size_t> found;
  for (const std::string& name : columns) {
    const auto column = schema.find(name);
    if (!column) return sink;
    found.push_back(*column);
  }
  return std::make_shared<TellingSink>(std::move(sink), std::move(found), observer);
}

}  // namespace supyo::job
