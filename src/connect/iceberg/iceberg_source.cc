#include <charconv>

#include "connect/iceberg/iceberg.h"
#include "connect/iceberg/iceberg_options.h"
#include "data/formats/parquet.h"
#include "data/iceberg/table.h"

namespace supyo::connect {
namespace {

// A fixed number, whatever the table holds: a split keeps its name and its files over restarts, and more shards than this would idle.
constexpr std::size_t kSplits = 8;

// The files of a snapshot, cut into kSplits ranges in commit order.
struct Plan {
  std::int64_t snapshot_id = 0;   // 0: the table is empty
  std::vector<iceberg::PlannedFile> files;
};

struct Position {
  std::int64_t snapshot_id = 0;
  std::size_t file = 0;       // next file, counted in the whole plan
  std::int64_t row = 0;       // next row in it
};

std::string encode(const Position& p) { return fmt::format("{}/{}/{}", p.snapshot_id, p.file, p.row); }

std::optional<Position> decode(std::string_view text) {
  Position p;
  const char* at = text.data();
  const char* end = at + text.size();
  const auto number = [&](auto& v) {
    const auto [next, error] = std::from_chars(at, end, v);
    at = next;
    return error == std::errc{};
  };
  const auto slash = [&] { return at < end && *at++ == '/'; };
  if (!number(p.snapshot_id) || !slash() || !number(p.file) || !slash() || !number(p.row) || at != end) return std::nullopt;
  return p;
}

std::size_t range_start(std::size_t split, std::size_t files) { return split * files / kSplits; }

Result<std::shared_ptr<const Plan>> make_plan(env::Files& files, const std::string& location, std::int64_t snapshot_id) {
  SUPYO_ASSIGN(const iceberg::LoadedTable table, iceberg::load_table(files, location));
  auto plan = std::make_shared<Plan>();
  const iceberg::Snapshot* snapshot = snapshot_id == 0 ? table.metadata.current_snapshot() : table.metadata.find_snapshot(snapshot_id);
  if (snapshot == nullptr && snapshot_id != 0)
    return fail(ErrorCode::kOffsetOutOfRange, fmt::format("snapshot {} of table {}, which the job was reading, has expired", snapshot_id, location),
                "start with a new state directory, or keep more snapshots (supyo.history.max-snapshots)");
  if (snapshot != nullptr) {
    plan->snapshot_id = snapshot->id;
    SUPYO_ASSIGN(plan->files, iceberg::plan_files(files, table.metadata, *snapshot));
  }
  return plan;
}

class IcebergReader final : public dataflow::SourceReader {
 public:
  struct SplitState {
    std::string id;
    std::shared_ptr<const Plan> plan;
    Position at;
    std::size_t end = 0;   // one past its last file
  };

  IcebergReader(std::vector<SplitState> splits, std::vector<formats::ParquetField> columns, const env::Env& env)
      : splits_(std::move(splits)), columns_(std::move(columns)), env_(env) {}

  Result<dataflow::Poll> poll(std::size_t budget, dataflow::SourceOutput& out) override {
    std::size_t given = 0;
    while (given < budget) {
      while (current_ < splits_.size() && splits_[current_].at.file >= splits_[current_].end) {
        out.quiet(static_cast<std::uint32_t>(current_));
        ++current_;
      }
      if (current_ == splits_.size()) return given > 0 ? dataflow::Poll::more() : dataflow::Poll::done();
      SUPYO_ASSIGN(const std::size_t rows, read_batch(splits_[current_], out));
      given += rows;
    }
    return dataflow::Poll::more();
  }

  std::vector<dataflow::SplitPosition> positions() const override {
    std::vector<dataflow::SplitPosition> out;
    for (const SplitState& s : splits_) out.push_back({s.id, encode(s.at)});
    return out;
  }

 private:
  // Gives one batch, or moves on to the next file and gives none.
  Result<std::size_t> read_batch(SplitState& split, dataflow::SourceOutput& out) {
    if (!reader_) {
      SUPYO_ASSIGN(const std::string path, iceberg::local_path(split.plan->files[split.at.file].file.path));
      SUPYO_ASSIGN(mapped_, env_.files.map(path));
      SUPYO_ASSIGN(reader_, formats::make_parquet_reader(mapped_->bytes(), path, columns_, split.at.row));
    }
    SUPYO_ASSIGN(BatchPtr batch, reader_->next());
    if (!batch) {
      reader_.reset();
      mapped_.reset();
      ++split.at.file;
      split.at.row = 0;
      return 0U;
    }
    const std::size_t rows = batch->rows;
    split.at.row += static_cast<std::int64_t>(rows);
    dataflow::SourceBatch given;
    given.split = static_cast<std::uint32_t>(current_);
    given.batch = std::move(batch);
    given.produce_us.assign(rows, env_.clock.now_us());
    SUPYO_TRY(out.emit(std::move(given)));
    return rows;
  }

  std::vector<SplitState> splits_;
  std::vector<formats::ParquetField> columns_;
  env::Env env_;
  std::size_t current_ = 0;
  std::unique_ptr<env::MappedFile> mapped_;              // outlives reader_
  std::unique_ptr<formats::ParquetReader> reader_;
};

class IcebergSource final : public dataflow::Source {
 public:
  IcebergSource(std::string name, std::string location, std::vector<formats::ParquetField> columns, const env::Env& env)
      : name_(std::move(name)), location_(std::move(location)), columns_(std::move(columns)), env_(env) {}

  std::string_view name() const override { return name_; }
  bool bounded() const override { return true; }

  Result<std::vector<dataflow::Split>> splits() override {
    SUPYO_ASSIGN(current_, make_plan(env_.files, location_, 0));
    std::vector<dataflow::Split> out;
    for (std::size_t i = 0; i < kSplits; ++i) out.push_back({fmt::format("{}/{}", name_, i), {}});
    return out;
  }

  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env& env) override {
    std::vector<IcebergReader::SplitState> states;
    std::map<std::int64_t, std::shared_ptr<const Plan>> older;
    for (dataflow::Split& split : splits) {
      std::size_t index = 0;
      const std::string_view digits = std::string_view(split.id).substr(split.id.rfind('/') + 1);
      if (std::from_chars(digits.data(), digits.data() + digits.size(), index).ec != std::errc{} || index >= kSplits)
        return fail(ErrorCode::kStateOfOtherJob, fmt::format("`{}` is no split of table {}", split.id, name_));
      IcebergReader::SplitState state;
      state.id = split.id;
      std::optional<Position> from;
      if (!split.position.empty()) {
        from = decode(split.position);
        if (!from) return fail(ErrorCode::kDamaged, fmt::format("position `{}` of split {} is unreadable", split.position, split.id));
      }
      SUPYO_ASSIGN(state.plan, plan_for(from, older));
      state.at = from.value_or(Position{state.plan->snapshot_id, range_start(index, state.plan->files.size()), 0});
      state.end = range_start(index + 1, state.plan->files.size());
      states.push_back(std::move(state));
    }
    return std::make_unique<IcebergReader>(std::move(states), columns_, env);
  }

 private:
  // A restarted job reads on in the snapshot that it began with.
  Result<std::shared_ptr<const Plan>> plan_for(const std::optional<Position>& from, std::map<std::int64_t, std::shared_ptr<const Plan>>& older) {
    if (!current_) {
      SUPYO_ASSIGN(current_, make_plan(env_.files, location_, 0));
    }
    if (!from || from->snapshot_id == current_->snapshot_id) return current_;
    if (from->snapshot_id == 0) return std::make_shared<const Plan>();
    auto& plan = older[from->snapshot_id];
    if (!plan) {
      SUPYO_ASSIGN(plan, make_plan(env_.files, location_, from->snapshot_id));
    }
    return plan;
  }

  std::string name_;
  std::string location_;
  std::vector<formats::ParquetField> columns_;
  env::Env env_;
  std::shared_ptr<const Plan> current_;
};

}  // namespace

Result<std::shared_ptr<dataflow::Source>> make_iceberg_source(const catalog::SourceRequest& request, const env::Env& env) {
  SUPYO_ASSIGN(std::string location, iceberg_location(request.table, request.base_directory));
  SUPYO_ASSIGN(const iceberg::LoadedTable loaded, iceberg::load_table(env.files, location));
  const Schema schema = request.table.schema();
  std::vector<formats::ParquetField> columns;
  for (const std::size_t i : request.columns) {
    const Field& column = schema[i];
    const iceberg::SchemaField* field = loaded.metadata.schema().find(column.name);
    if (field == nullptr) return fail(ErrorCode::kUnknownColumn, fmt::format("Iceberg table {} has no column `{}`", location, column.name), "DESCRIBE shows its columns");
    SUPYO_TRY(iceberg::sql_type(*field));
    // A null in a column that only this declaration calls NOT NULL is the runtime's business (a dead row), not the reader's.
    columns.push_back({column.name, field->required ? column.type : column.type.as_nullable(), field->id});
  }
  return std::make_shared<IcebergSource>(request.table.path.to_string(), std::move(location), std::move(columns), env);
}

}  // namespace supyo::connect
