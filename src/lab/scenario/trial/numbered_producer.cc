#include "lab/scenario/trial/numbered_producer.h"

#include <algorithm>
#include <utility>

#include "lab/scenario/trial/commit_worker.h"

namespace supyo::scenario {

Status NumberedProducer::turn(TimeUs now, bool rest) {
  if (!begin_us_) begin_us_ = next_us_ = now;
  take_reports(now);
  if (rest || now < next_us_) return ok();
  next_us_ = now + options_.linger_us;
  const auto due = static_cast<std::uint64_t>(static_cast<double>(now - *begin_us_) * options_.rate / kSecond);
  while (counts_.offered < due) {
    const std::uint64_t id = counts_.offered;
    const std::string key = options_.key ? options_.key(id) : std::string();
    SUPYO_ASSIGN(const bool taken, producer_.send(id, options_.key ? std::optional<std::string_view>(key) : std::nullopt, numbered_value(id, options_.record_size, std::exchange(word_, {})), env_.clock.now_us()));
    fates_.push_back(taken ? Fate::kPending : Fate::kRefused);
    sent_us_.push_back(now);
    ++counts_.offered;
    if (!taken) ++counts_.refused;
  }
  return ok();
}

void NumberedProducer::take_reports(TimeUs now) {
  using Outcome = connect::RecordReport::Outcome;
  for (const connect::RecordReport& r : producer_.reports(0)) {
    Fate& fate = fates_.at(r.id);
    switch (r.outcome) {
      case Outcome::kAcknowledged:
        fate = Fate::kAcknowledged;
        ++counts_.acknowledged;
        counts_.slowest_ack_us = std::max(counts_.slowest_ack_us, now - sent_us_[r.id]);
        break;
      case Outcome::kFailed:
        fate = Fate::kFailed;
        ++counts_.failed;
        break;
      case Outcome::kUnknown:
        fate = Fate::kUnknown;
        ++counts_.unknown;
        break;
    }
    if (r.outcome != Outcome::kAcknowledged) ++counts_.why[r.why];
  }
}

std::vector<bool> NumberedProducer::acknowledged() const {
  std::vector<bool> out(fates_.size());
  for (std::size_t i = 0; i < fates_.size(); ++i) out[i] = fates_[i] == Fate::kAcknowledged;
  return out;
}

}  // namespace supyo::scenario
