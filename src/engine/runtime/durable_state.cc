#include "engine/runtime/durable_state.h"

#include "core/base/bytes.h"
#include "core/base/crc32c.h"

namespace supyo::runtime {
namespace {
constexpr std::string_view kObserverFile = "observer";   ///< docs/format/epoch.md
constexpr std::size_t kSliceBytes = 256U << 10;  ///< of snapshot work between two looks at anything else
}

/// The thread that builds a snapshot. `stop` makes it give up, `result` is read after `ended`.
struct DurableState::Background {
  std::atomic<bool> stop{false};
  std::atomic<bool> ended{false};
  Status result;
  std::unique_ptr<env::Thread> thread;
};

DurableState::DurableState(const env::Env& env, state::JobDirectory directory, const state::JournalOptions& options)
    : env_(env), directory_(std::move(directory)), options_(options) {}

Result<std::unique_ptr<DurableState>> DurableState::open(const env::Env& env, const std::string& dir, const std::string& fingerprint,
                                                         const state::JournalOptions& options) {
  SUPYO_ASSIGN(auto directory, state::JobDirectory::open(env, dir, fingerprint));
  std::unique_ptr<DurableState> out(new DurableState(env, std::move(directory), options));
  SUPYO_TRY(out->reopen());
  return out;
}

DurableState::~DurableState() { abandon_snapshot(); }

void DurableState::abandon_snapshot() {
  if (background_) {
    background_->stop = true;
    background_->thread.reset();
    background_.reset();
  }
  builder_.reset();
}

Status DurableState::reopen() {
  abandon_snapshot();
  journal_.reset();
  SUPYO_ASSIGN(journal_, state::Journal::open(env_, directory_.path(), directory_.job_id(), options_));
  SUPYO_ASSIGN(meta_, decode_epoch_meta(journal_->recovered().sections));
  read_observer();
  return ok();
}

Status DurableState::note_observer(Epoch last, std::string_view bytes) {
  std::string file;
  ByteWriter w(file);
  w.i64(last.value);
  w.text(bytes);
  w.u32(crc32c(file));
  return env_.files.write_atomically(env::join_path(directory_.path(), kObserverFile), file);
}

/// Of another epoch, or not whole: the epoch's own record is what is known.
void DurableState::read_observer() {
  const auto file = env_.files.read_all(env::join_path(directory_.path(), kObserverFile));
  if (!file) return;
  ByteReader r(*file);
  const std::int64_t epoch = r.i64();
  const std::string_view bytes = r.text();
  const std::uint32_t sum = r.u32();
  if (!r.failed() && r.done() && sum == crc32c(std::string_view(*file).substr(0, file->size() - sizeof sum)) && Epoch(epoch) == last()) meta_.observer = bytes;
}

Status DurableState::append(const state::EpochRecord& record) {
  const std::uint64_t before = journal_->uncovered_bytes();
  SUPYO_TRY(journal_->append(record));
  SUPYO_TRY(journal_->sync());
  const std::uint64_t after = journal_->uncovered_bytes();
  last_bytes_ = after > before ? after - before : 0;
  return ok();
}

Result<bool> DurableState::poll_snapshot(bool now) {
  if (!builder_) {
    if (!now && (!journal_->snapshot_due() || journal_->uncovered_bytes() < retry_at_bytes_)) return false;
    builder_ = journal_->begin_snapshot();
    if (!builder_) return false;
    if (env_.threads == nullptr) return true;
    background_ = std::make_unique<Background>();
    Background& b = *background_;
    b.thread = env_.threads->start("supyo-snapshot", [&b, builder = builder_.get()] {
      while (!b.stop) {
        auto done = builder->poll(kSliceBytes);
        if (!done) b.result = fail(std::move(done).error());
        if (!done || *done) break;
      }
      b.ended = true;
    });
    return false;
  }
  Status result;
  if (background_) {
    if (!background_->ended) return false;
    background_->thread.reset();
    result = std::move(background_->result);
    background_.reset();
  } else {
    auto done = builder_->poll(kSliceBytes);
    if (done && !*done) return true;
    if (!done) result = fail(std::move(done).error());
  }
  // A snapshot that failed costs nothing but a longer replay: the journal is whole, and the next one is tried when it is due.
  const Status ended = journal_->end_snapshot(*builder_);
  builder_.reset();
  SUPYO_TRY(ended);
  retry_at_bytes_ = result ? 0 : journal_->uncovered_bytes() * 2;
  return false;
}

}  // namespace supyo::runtime
