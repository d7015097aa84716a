#include "judge/diagnosis/loss_ledger.h"

#include <algorithm>
#include <cmath>

namespace supyo::diagnosis {
namespace {

constexpr double kSmoothing = 0.3;
constexpr double kJump = 2;                        // times what it usually handles in that time
constexpr DurationUs kStandsStill = 30 * kSecond;
constexpr DurationUs kGapsMissed = 3;

}  // namespace

std::int64_t LossLedger::exposed() const { return last_ && last_->committed >= 0 ? std::max<std::int64_t>(0, last_->log_start - last_->committed) : 0; }

bool LossLedger::observe(const OffsetSample& sample) {
  const bool goes_on = last_ && sample.committed >= last_->committed && last_->committed >= 0 && sample.log_start >= last_->log_start;
  if (!goes_on) {
    if (last_ && sample.log_start < last_->log_start) usual_rate_ = 0;   // another log of that name
    last_ = sample;
    changed_at_ = sample.at;
    return false;
  }
  const OffsetSample before = *last_;
  last_ = sample;
  if (sample.committed == before.committed) return false;
  const DurationUs quiet = sample.at - changed_at_;
  const bool stood_still = quiet > std::max(kStandsStill, kGapsMissed * commit_gap_);
  const double seconds = static_cast<double>(stood_still ? sample.at - before.at : quiet) / kSecond;
  changed_at_ = sample.at;

  const std::int64_t progress = sample.committed - before.committed;
  const auto handled = static_cast<std::int64_t>(std::llround(usual_rate_ * seconds));
  const std::int64_t deleted = std::min(sample.log_start, sample.committed) - before.committed;
  // What it reads below the log start may have been in its queue before it was deleted: only what goes beyond its usual pace was jumped over. A group whose pace is not known
  // must at least have come back above the log start; one that was not behind it at the last look must have come back right at it.
  const bool behind = before.committed < before.log_start;
  const bool fast = usual_rate_ > 0 ? progress > static_cast<std::int64_t>(kJump * static_cast<double>(handled)) : sample.committed >= before.log_start;
  const bool lands_at_start = usual_rate_ > 0 && sample.committed - sample.log_start <= static_cast<std::int64_t>(kJump * static_cast<double>(handled));
  if (deleted <= 0 || !fast || (!behind && !lands_at_start)) {
    if (seconds > 0 && !stood_still) {
      usual_rate_ += (usual_rate_ > 0 ? kSmoothing : 1) * (static_cast<double>(progress) / seconds - usual_rate_);
      commit_gap_ = std::max(commit_gap_, quiet);
    }
    return false;
  }
  // A group that stood still handled nothing of what is gone; what it read since lies behind the log start.
  count_.lost += stood_still && behind ? deleted : std::clamp<std::int64_t>(progress - handled, 0, deleted);
  count_.least += std::max<std::int64_t>(0, std::min(before.log_start, sample.committed) - before.committed - (stood_still ? 0 : handled));
  if (behind && sample.committed >= before.end && sample.log_start < sample.committed) count_.passed_over += sample.committed - sample.log_start;
  ++count_.jumps;
  return true;
}

}  // namespace supyo::diagnosis
