#pragma once
#include "data/types/batch.h"

namespace supyo::operators {

/// When rows of one side of a join end: at the value of a column plus a constant. In whole seconds of event time, the first that is surely behind the end.
struct RowEnds {
  std::size_t column = 0;
  DurationUs after_us = 0;

  static std::int64_t second_of(TimeUs t) { return t / kSecond - (t % kSecond < 0 ? 1 : 0); }
  std::int64_t second(const Batch& batch, std::size_t row) const {
    const Column& times = *batch.columns[column];
    TimeUs end = kTimeMin;   // of a null: it never has a partner
    if (!times.is_null(row) && __builtin_add_overflow(times.value<std::int64_t>(row), after_us, &end)) end = after_us > 0 ? kTimeMax - kSecond : kTimeMin;
    return second_of(end) + 1;
  }
};

}  // namespace supyo::operators
