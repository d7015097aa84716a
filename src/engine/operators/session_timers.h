#pragma once
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "data/state/tables.h"
#include "engine/operators/window_bounds.h"

namespace supyo::operators {

/// Which entries of a table to look at when the watermark gets somewhere: four bytes an entry, beside the table, made again after a restart. A slot may be given out before its entry is due (then put() it again), and
/// more than once over time (its entry went, and another one came); but it is given out no later than its entry fires.
/// Times are cells of a 256th of the gap. Only in the cell that the watermark is in they are exact, so that each watermark finds what is due and hardly more.
class SessionTimers {
 public:
  explicit SessionTimers(DurationUs gap_us) : cell_us_(std::max(gap_us / 256 / kWindowGrain, DurationUs{1}) * kWindowGrain) {}

  void put(state::Slot slot, TimeUs fires) {
    const TimeUs time = place(fires);
    if (last_ == nullptr || time != last_time_) {
      last_ = &slots_[time];
      last_time_ = time;
    }
    if (last_->size() == last_->capacity()) last_->reserve(last_->size() + last_->size() / 8 + 8);   // twice as much would be memory too
    last_->push_back(slot);
    ++size_;
    if (slot >= there_.size()) there_.resize(std::max<std::size_t>(slot + 1, there_.size() * 2));
    there_[slot] = true;
  }
  /// The entry goes.
  void forget(state::Slot slot) { there_[slot] = false; }
  /// Before take() of a watermark.
  void start(TimeUs watermark_us) { now_ = watermark_us; }
  /// The slots of the first time up to the watermark, each once; false: there are none. Between two calls put() those that fire at a later time than due() says.
  bool take(std::vector<state::Slot>& out) {
    out.clear();
    const auto first = slots_.begin();
    if (first == slots_.end() || first->first > now_) {
      before_ = now_;
      return false;
    }
    time_ = first->first;
    size_ -= first->second.size();
    std::ranges::copy_if(first->second, std::back_inserter(out), [this](state::Slot slot) { return there_[slot]; });
    last_ = nullptr;
    slots_.erase(first);
    std::ranges::sort(out);
    out.erase(std::ranges::unique(out).begin(), out.end());
    return true;
  }
  /// What fires then is due with the slots that were just taken: those that are taken later fire later.
  bool due(TimeUs fires) const { return place(fires) <= time_; }

  std::size_t size() const { return size_; }
  void clear() {
    slots_.clear();
    last_ = nullptr;
    size_ = 0;
  }
  /// Goes on with what fired up to there.
  void start_again(TimeUs watermark_us) { before_ = now_ = watermark_us; }

 private:
  /// Of a cell that was begun before, and of the part of one that is beyond the watermark, the time itself.
  TimeUs place(TimeUs fires) const {
    const TimeUs cell = floor_divide(fires, cell_us_) * cell_us_;
    return cell <= before_ || (cell <= now_ && fires > now_) ? fires : cell;
  }

  DurationUs cell_us_;
  std::map<TimeUs, state::BlockVector<state::Slot>> slots_;
  std::size_t size_ = 0;
  std::vector<bool> there_;    // by slot
  state::BlockVector<state::Slot>* last_ = nullptr;   // that got a slot
  TimeUs last_time_ = 0;
  TimeUs before_ = kTimeMin;   // the watermark that was dealt with
  TimeUs now_ = kTimeMin;      // the watermark; that of before_ but between start() and the end of take()
  TimeUs time_ = kTimeMin;     // of what was taken
};

}  // namespace supyo::operators
