#include "connect/iceberg/data_files.h"
#include "connect/iceberg/iceberg.h"
#include "connect/iceberg/iceberg_options.h"
#include "connect/iceberg/iceberg_target.h"
#include "connect/iceberg/iceberg_writer.h"

namespace supyo::connect {
namespace {

using dataflow::CommitHandle;
using dataflow::CommitOutcome;
using dataflow::PolledCommit;

class IcebergCommitter final : public dataflow::SinkCommitter {
 public:
  IcebergCommitter(const std::string& location, const dataflow::SinkOpen& open)
      : location_(location), env_(open.env), faults_(open.faults), table_(open.env, location, {open.job.job_id, open.job.sink_id}) {}

  Result<PolledCommit> poll_commit(Epoch e, const std::vector<CommitHandle>& handles) override {
    const bool empty = std::all_of(handles.begin(), handles.end(), [](const CommitHandle& h) { return h.empty(); });
    if (empty) return PolledCommit{.outcome = CommitOutcome::kVisibleNow, .poll = dataflow::Poll::more()};
    const TimeUs now = env_.clock.now_us();
    const std::optional<TimeUs> until = gate_.wait_until(faults_, "iceberg.commit.before", now);
    if (!until) return fail(ErrorCode::kOutsideUnavailable, fmt::format("the commit to {} was refused (injected fault)", location_), "the job restarts and commits again");
    if (now < *until) return PolledCommit{.outcome = CommitOutcome::kPending, .poll = dataflow::Poll::waiting_until(*until)};
    SUPYO_ASSIGN(const std::vector<iceberg::NewFiles> files, files_of(handles));
    SUPYO_ASSIGN(const iceberg::AppendOutcome outcome, table_.append(e, files));
    gate_.reset();
    return PolledCommit{.outcome = outcome == iceberg::AppendOutcome::kAppended ? CommitOutcome::kVisibleNow : CommitOutcome::kWasVisible, .poll = dataflow::Poll::more()};
  }

  Status abandon_after(Epoch last) override { return table_.remove_leftovers(last); }

 private:
  // The shards' files, together as far as they share a partition spec: one manifest an epoch.
  Result<std::vector<iceberg::NewFiles>> files_of(const std::vector<CommitHandle>& handles) {
    SUPYO_ASSIGN(const iceberg::LoadedTable* loaded, table_.table());
    std::map<std::int32_t, iceberg::NewFiles> by_spec;
    for (const CommitHandle& handle : handles) {
      if (handle.empty()) continue;
      SUPYO_ASSIGN(iceberg::NewFiles files, decode_handle(handle, loaded->metadata));
      iceberg::NewFiles& group = by_spec[files.spec_id];
      group.spec_id = files.spec_id;
      std::move(files.files.begin(), files.files.end(), std::back_inserter(group.files));
    }
    std::vector<iceberg::NewFiles> out;
    for (auto& [spec, group] : by_spec) out.push_back(std::move(group));
    return out;
  }

  std::string location_;
  env::Env env_;
  const FaultPoints& faults_;
  iceberg::TableCommitter table_;
  FaultGate gate_;
};

class IcebergSink final : public dataflow::Sink {
 public:
  IcebergSink(const catalog::SinkRequest& request, std::string location) : name_(request.table.path.to_string()), request_(request), location_(std::move(location)) {}

  std::string_view name() const override { return name_; }
  DeliveryGuarantee guarantee() const override { return DeliveryGuarantee::kExactlyOnce; }

  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen& open) override {
    auto loaded = iceberg::load_table(open.env.files, location_);
    if (!loaded && loaded.error().code == ErrorCode::kUnknownTable) {
      SUPYO_ASSIGN(const iceberg::TableMetadata made, iceberg_new_table(request_.table, location_, open.env));
      const Status created = iceberg::create_table(open.env, made);
      if (!created && created.error().code != ErrorCode::kAlreadyExists) return fail(created.error());
      loaded = iceberg::load_table(open.env.files, location_);
    }
    if (!loaded) return fail(loaded.error());
    SUPYO_ASSIGN(target_, fit_to_table(request_.schema, loaded->metadata));
    auto committer = std::make_unique<IcebergCommitter>(location_, open);
    return committer;
  }

  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen& open, std::uint32_t shard) override {
    SUPYO_CHECK(target_.has_value());  // the committer is opened first
    return make_iceberg_writer(*target_, open, shard);
  }

 private:
  std::string name_;
  catalog::SinkRequest request_;
  std::string location_;
  std::optional<IcebergTarget> target_;
};

}  // namespace

Result<std::shared_ptr<dataflow::Sink>> make_iceberg_sink(const catalog::SinkRequest& request, const env::Env& env) {
  SUPYO_ASSIGN(std::string location, iceberg_location(request.table, request.base_directory));
  SUPYO_TRY(iceberg_properties(request.table.options));
  // A table that does not fit is better refused while planning than when the job starts.
  const auto loaded = iceberg::load_table(env.files, location);
  if (loaded) SUPYO_TRY(fit_to_table(request.schema, loaded->metadata));
  else if (loaded.error().code != ErrorCode::kUnknownTable) return fail(loaded.error());
  return std::make_shared<IcebergSink>(request, std::move(location));
}

}  // namespace supyo::connect
