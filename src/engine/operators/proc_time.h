#pragma once
#include "engine/dataflow/operator.h"

namespace supyo::operators {

struct ProcTimeSpec {
  std::size_t column = 0;        ///< TIMESTAMP_LTZ(3): gets the clock's time
  DurationUs tick_us = 0;        ///< > 0: the watermark moves at phase_us + n * tick_us
  DurationUs phase_us = 0;
};

/// Processing time: stamps rows with the clock, in whole milliseconds, and makes the clock the watermark. A stamp is always behind the watermark that it made, also
/// when the clock goes back and over a restart: no row is late. Inserts only.
dataflow::OperatorFactory make_proc_time(ProcTimeSpec spec);

}  // namespace supyo::operators
