#pragma once
#include "engine/dataflow/operator.h"

namespace supyo::operators {

/// LIMIT [OFFSET]: the first rows in order of arrival; run it on one shard. Takes inserts only (kUnsupported otherwise).
struct LimitSpec {
  std::uint64_t offset = 0;
  std::uint64_t limit = 0;
  bool ends_job = false;   ///< nothing else in the job wants rows: when full, the job drains (OperatorContext::finish_job)
};
dataflow::OperatorFactory make_limit(LimitSpec spec);

/// UNION ALL: hands on what comes on any input.
dataflow::OperatorFactory make_union();

}  // namespace supyo::operators
