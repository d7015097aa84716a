#include "connect/console/console.h"

#include "data/types/nested.h"
#include "data/types/value.h"

namespace supyo::connect {
namespace {

// A sink whose effect is a function of each batch: nothing to prepare, nothing to commit.
class ImmediateSink final : public dataflow::Sink {
 public:
  using Write = std::function<Status(const BatchPtr&, std::uint32_t shard)>;
  ImmediateSink(std::string name, DeliveryGuarantee guarantee, Write write) : name_(std::move(name)), guarantee_(guarantee), write_(std::move(write)) {}
  std::string_view name() const override { return name_; }
  DeliveryGuarantee guarantee() const override { return guarantee_; }
  bool readable_as_written() const override { return true; }

  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen&) override {
    class Committer final : public dataflow::SinkCommitter {
     public:
      Result<dataflow::PolledCommit> poll_commit(Epoch, const std::vector<dataflow::CommitHandle>&) override {
        return dataflow::PolledCommit{.outcome = dataflow::CommitOutcome::kVisibleNow, .poll = dataflow::Poll::more()};
      }
    };
    return std::make_unique<Committer>();
  }

  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen&, std::uint32_t shard) override {
    class Writer final : public dataflow::SinkWriter {
     public:
      Writer(const Write& write, std::uint32_t shard) : write_(write), shard_(shard) {}
      Status write(const BatchPtr& batch, Epoch) override { return write_ ? write_(batch, shard_) : ok(); }
      Status begin_prepare(Epoch) override { return ok(); }
      Result<dataflow::PolledPrepare> poll_prepare(Epoch) override { return dataflow::PolledPrepare{.done = true, .handle = {}, .poll = dataflow::Poll::more()}; }

     private:
      const Write& write_;
      std::uint32_t shard_;
    };
    return std::make_unique<Writer>(write_, shard);
  }

 private:
  std::string name_;
  DeliveryGuarantee guarantee_;
  Write write_;
};

}  // namespace

catalog::ConnectorDescriptor print_descriptor() {
  using K = catalog::OptionSpec::Kind;
  catalog::ConnectorDescriptor d;
  d.name = "print";
  d.options = {{.key = "print-identifier", .help = "text before every row"},
               {.key = "standard-error", .kind = K::kBoolean, .default_value = "false", .help = "print to standard error"},
               {.key = "sink.parallelism", .kind = K::kInteger, .help = "accepted for Flink's sake; the job's parallelism holds"}};
  d.sink = true;
  d.accepts = ChangelogMode::kRetract;
  d.guarantee = DeliveryGuarantee::kAtLeastOnce;
  d.rows = true;
  d.help = "prints rows as they come";
  return d;
}

Result<std::shared_ptr<dataflow::Sink>> make_print_sink(const catalog::SinkRequest& request, PrintTarget target) {
  const auto descriptor = print_descriptor();
  std::string prefix = catalog::option_text(request.table.options, descriptor, "print-identifier");
  const bool error = catalog::option_boolean(request.table.options, descriptor, "standard-error");
  auto write = [prefix = std::move(prefix), error, target = std::move(target)](const BatchPtr& batch, std::uint32_t shard) -> Status {
    std::string lines;
    for (std::size_t row = 0; row < batch->rows; ++row) {
      if (!prefix.empty()) lines += prefix + (shard > 0 ? fmt::format(":{}> ", shard + 1) : "> ");
      lines += row_kind_text(batch->kind(row));
      lines.push_back('[');
      for (std::size_t c = 0; c < batch->columns.size(); ++c) {
        if (c > 0) lines += ", ";
        const Column& column = *batch->columns[c];
        if (column.is_null(row)) lines += "null";
        else if (column.type().is_nested()) nested::append_text(column.type(), nested::item_at(column, row), {}, lines);
        else append_text_of(*batch->columns[c], row, lines);
      }
      lines += "]\n";
    }
    target(lines, error);
    return ok();
  };
  return std::make_shared<ImmediateSink>(request.table.path.name, DeliveryGuarantee::kAtLeastOnce, std::move(write));
}

catalog::ConnectorDescriptor blackhole_descriptor() {
  catalog::ConnectorDescriptor d;
  d.name = "blackhole";
  d.sink = true;
  d.accepts = ChangelogMode::kRetract;
  d.guarantee = DeliveryGuarantee::kNone;
  d.rows = true;
  d.help = "takes everything and keeps nothing";
  return d;
}

Result<std::shared_ptr<dataflow::Sink>> make_blackhole_sink(const catalog::SinkRequest& request) {
  return std::make_shared<ImmediateSink>(request.table.path.name, DeliveryGuarantee::kNone, nullptr);
}

std::shared_ptr<dataflow::Sink> make_collect_sink(CollectTarget take) {
  return std::make_shared<ImmediateSink>("console", DeliveryGuarantee::kAtLeastOnce,
                                         [take = std::move(take)](const BatchPtr& batch, std::uint32_t) { return take(batch); });
}

}  // namespace supyo::connect
