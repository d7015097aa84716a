#pragma once
#include <memory>
#include <string_view>
#include <utility>

#include "engine/dataflow/sink.h"

namespace supyo::job {

/// A writer that does something with each batch and leaves all else to the writer `below` it. Threads as of SinkWriter.
class WriterAround : public dataflow::SinkWriter {
 public:
  explicit WriterAround(std::unique_ptr<dataflow::SinkWriter> below) : below_(std::move(below)) {}
  void watermark(TimeUs us) override { below_->watermark(us); }
  Status closing() override { return below_->closing(); }
  Status begin_prepare(Epoch e) override { return below_->begin_prepare(e); }
  Result<dataflow::PolledPrepare> poll_prepare(Epoch e) override { return below_->poll_prepare(e); }

 protected:
  const std::unique_ptr<dataflow::SinkWriter> below_;
};

/// A sink whose writers stand around those of the sink `below` it; its name, guarantee, readers and commits are that one's.
class SinkAround : public dataflow::Sink {
 public:
  explicit SinkAround(std::shared_ptr<dataflow::Sink> below) : below_(std::move(below)) {}
  std::string_view name() const override { return below_->name(); }
  DeliveryGuarantee guarantee() const override { return below_->guarantee(); }
  bool readable_as_written() const override { return below_->readable_as_written(); }
  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen& open) override { return below_->open_committer(open); }
  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen& open, std::uint32_t shard) final {
    SUPYO_ASSIGN(auto below, below_->open_writer(open, shard));
    return around(std::move(below), open);
  }

 protected:
  /// May point into the sink, which outlives its writers.
  virtual std::unique_ptr<dataflow::SinkWriter> around(std::unique_ptr<dataflow::SinkWriter> below, const dataflow::SinkOpen& open) const = 0;
  const std::shared_ptr<dataflow::Sink> below_;
};

}  // namespace supyo::job
