#pragma once
#include "engine/dataflow/operator.h"

namespace supyo::operators {

/// INTERSECT [ALL] and EXCEPT [ALL] of two inputs with the same columns, kept right as rows come and go: how often each row is there on each side says how often it
/// is in the result. Emits the net change of a batch: +I and -D. Keeps every row that either side has, once.
struct SetOperationSpec {
  Schema input;
  bool intersect = true;   ///< else EXCEPT
  bool all = false;        ///< a row as often as min(left, right), or left - right; else at most once
  DurationUs ttl_us = 0;  ///< how long by the clock what is kept lives after it was last written; 0 = for ever
};
dataflow::OperatorFactory make_set_operation(SetOperationSpec spec);

}  // namespace supyo::operators
