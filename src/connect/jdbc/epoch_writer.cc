#include "connect/jdbc/epoch_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/base/bytes.h"
#include "data/types/value.h"

namespace supyo::connect::jdbc {
namespace {

using dataflow::CommitOutcome;

constexpr std::string_view kMarks = "supyo_epochs";

std::vector<Type> types_at(const Schema& schema, const std::vector<std::size_t>& columns) {
  std::vector<Type> out;
  for (const std::size_t c : columns) out.push_back(schema[c].type);
  return out;
}

Schema mark_schema() {
  Schema s;
  s.add("job", Type::string().not_null());
  s.add("sink", Type::string().not_null());
  s.add("epoch", Type::big_int().not_null());
  return s;
}

/// Beside the table itself: in its schema.
std::string marks_table(const Where& where) {
  Where marks = where;
  const std::size_t dot = where.dialect == Dialect::kPostgres ? where.table.find('.') : std::string::npos;
  marks.table = (dot == std::string::npos ? "" : where.table.substr(0, dot + 1)) + std::string(kMarks);
  return marks.quoted_table();
}

}  // namespace

StagedRows::StagedRows(const SinkConfig& config) : config_(config), row_codec_(config.schema.types()), key_codec_(types_at(config.schema, config.key)) {}

void StagedRows::add(const Batch& batch) {
  std::vector<ColumnPtr> key;
  for (const std::size_t k : config_.key) key.push_back(batch.columns[k]);
  for (std::size_t row = 0; row < batch.rows; ++row) {
    Change change{.deleted = is_retraction(batch.kind(row)), .row = {}};
    row_codec_.encode(batch.columns, row, change.row);
    if (config_.key.empty()) {
      changes_.push_back(std::move(change));
      continue;
    }
    key_.clear();
    key_codec_.encode(key, row, key_);
    const auto [it, is_new] = by_key_.emplace(key_, changes_.size());
    if (is_new) changes_.push_back(std::move(change));
    else changes_[it->second] = std::move(change);
  }
}

std::string StagedRows::take() {
  std::string out;
  if (changes_.empty()) return out;
  ByteWriter w(out);
  w.u8(kLayout);
  for (const Change& c : changes_) {
    w.u8(c.deleted ? 1 : 0);
    w.text(c.row);
  }
  changes_.clear();
  by_key_.clear();
  return out;
}

EpochWriter::EpochWriter(const SinkConfig& config, dataflow::JobIdentity job)
    : config_(config), job_(std::move(job)), statements_(config.where, config.schema, config.key), codec_(config.schema.types()), all_(config.schema.size()), marks_(marks_table(config.where)), mark_schema_(mark_schema()) {
  std::iota(all_.begin(), all_.end(), std::size_t{0});
}

Status EpochWriter::connect() {
  if (session_) return ok();
  SUPYO_ASSIGN(session_, open_session(config_.where));
  return ok();
}

Status EpochWriter::open(Epoch last_final) {
  SUPYO_TRY(connect());
  SUPYO_TRY(session_->check(statements_.select(config_.schema, " LIMIT 0"), config_.schema, true));
  SUPYO_TRY(session_->check(statements_.put(1), {}, true));   // whether the key is one there
  if (!config_.marks_epochs) return ok();
  // Asked for first: whoever may not create tables can have it created by somebody else.
  const std::string find = fmt::format("SELECT \"job\", \"sink\", \"epoch\" FROM {} LIMIT 0", marks_);
  if (!session_->check(find, mark_schema_, true)) {
    const Status made = session_->run(fmt::format("CREATE TABLE IF NOT EXISTS {} (\"job\" VARCHAR(64) NOT NULL, \"sink\" VARCHAR(512) NOT NULL, \"epoch\" BIGINT NOT NULL, PRIMARY KEY (\"job\", \"sink\"))", marks_));
    const Status there = session_->check(find, mark_schema_, true);   // another sink may have been first
    if (!there && made) return there;
    if (!there)
      return fail(Error{made.error().code, fmt::format("{}: the table {} for the epochs cannot be made: {}", config_.where.text(), kMarks, made.error().message),
                        "declare the table's PRIMARY KEY (rows are then written by it, and no such table is needed), create it as an administrator, or say 'sink.delivery-guarantee' = 'at-least-once'"});
  }
  SUPYO_ASSIGN(const std::int64_t last, last_epoch());
  if (last > static_cast<std::int64_t>(last_final.value))
    return fail(ErrorCode::kStateOfOtherJob, fmt::format("{} holds epoch {} of this job, whose state ends with epoch {}", config_.where.text(), last, last_final.value),
                "the state directory is an older copy: going on from it would leave out or repeat rows; use the newer one, or begin with a new directory");
  return ok();
}

/// -1: none is there.
Result<std::int64_t> EpochWriter::last_epoch() {
  BatchBuilder builder(mark_schema_, 1);
  builder.column(0).append_text(job_.job_id);
  builder.column(1).append_text(job_.sink_id);
  builder.column(2).append_integer(0);
  builder.end_row();
  const BatchPtr row = builder.finish();
  const Statements s(config_.where, mark_schema_);
  Schema epoch;
  epoch.add("epoch", Type::big_int().not_null());
  const std::vector<std::size_t> columns = {0, 1};
  SUPYO_ASSIGN(const Answer found, session_->query(fmt::format("SELECT \"epoch\" FROM {} WHERE \"job\" = {} AND \"sink\" = {}", marks_, s.plain_place(1), s.plain_place(2)), {row.get(), columns, 0, 1}, epoch));
  return found.rows.empty() ? std::int64_t{-1} : found.rows[0]->columns[0]->integer(0);
}

Result<CommitOutcome> EpochWriter::write(Epoch epoch, const std::vector<dataflow::CommitHandle>& handles) {
  auto outcome = write_now(epoch, handles);
  if (!outcome) session_.reset();   // with what was open
  return outcome;
}

Result<CommitOutcome> EpochWriter::write_now(Epoch epoch, const std::vector<dataflow::CommitHandle>& handles) {
  if (std::ranges::all_of(handles, [](const auto& h) { return h.empty(); })) return CommitOutcome::kVisibleNow;
  SUPYO_TRY(connect());
  // SQLite: as a writer from the start, since a reader that turns into one may have to give up.
  SUPYO_TRY(session_->run(config_.where.dialect == Dialect::kSqlite ? "BEGIN IMMEDIATE" : "BEGIN"));
  if (config_.marks_epochs) {
    SUPYO_ASSIGN(const std::int64_t last, last_epoch());
    if (last >= static_cast<std::int64_t>(epoch.value)) {
      SUPYO_TRY(session_->run("ROLLBACK"));
      return CommitOutcome::kWasVisible;
    }
    SUPYO_TRY(mark(epoch));
  }
  SUPYO_TRY(put_rows(handles));
  SUPYO_TRY(session_->run("COMMIT"));
  return CommitOutcome::kVisibleNow;
}

Status EpochWriter::put_rows(const std::vector<dataflow::CommitHandle>& handles) {
  BatchBuilder put(config_.schema), gone(config_.schema);
  for (const std::string& handle : handles) {
    Status done = ok();
    bool damaged = false;
    const bool whole = StagedRows::read(handle, [&](bool deleted, std::string_view row) {
      if (!done || damaged) return;
      BatchBuilder& to = deleted ? gone : put;
      std::vector<ColumnBuilder*> columns;
      for (std::size_t c = 0; c < config_.schema.size(); ++c) columns.push_back(&to.column(c));
      if (!codec_.decode(row, columns)) {
        damaged = true;
        return;
      }
      to.end_row();
      if (to.full()) done = flush(to, deleted);
    });
    SUPYO_TRY(done);
    if (!whole || damaged) return fail(ErrorCode::kDamaged, fmt::format("{}: a commit handle is unreadable", config_.where.text()));
  }
  SUPYO_TRY(flush(gone, true));
  return flush(put, false);
}

Status EpochWriter::flush(BatchBuilder& rows, bool deleted) {
  const BatchPtr batch = rows.finish();
  if (!batch) return ok();
  const std::vector<std::size_t>& columns = deleted ? config_.key : all_;
  return in_parts(batch->rows, std::min(config_.rows_at_once, Statements::most_rows(columns.size())), [&](std::size_t from, std::size_t count) -> Status {
    return session_->write(deleted ? statements_.delete_by_key(count) : statements_.put(count), {batch.get(), columns, from, count});
  });
}

Status EpochWriter::mark(Epoch epoch) {
  BatchBuilder builder(mark_schema_, 1);
  builder.column(0).append_text(job_.job_id);
  builder.column(1).append_text(job_.sink_id);
  builder.column(2).append_integer(static_cast<std::int64_t>(epoch.value));
  builder.end_row();
  const BatchPtr row = builder.finish();
  const std::vector<std::size_t> columns = {0, 1, 2};
  const Statements s(config_.where, mark_schema_);
  return session_->write(fmt::format("INSERT INTO {} (\"job\", \"sink\", \"epoch\") VALUES ({}, {}, {}) ON CONFLICT (\"job\", \"sink\") DO UPDATE SET \"epoch\" = excluded.\"epoch\"", marks_, s.plain_place(1), s.plain_place(2),
                                     s.plain_place(3)),
                         {row.get(), columns, 0, 1});
}

}  // namespace supyo::connect::jdbc
