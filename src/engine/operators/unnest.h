#pragma once
#include "data/types/type.h"
#include "engine/dataflow/operator.h"

namespace supyo::operators {

struct UnnestSpec {
  Schema input;
  Schema output;                  ///< the input's columns (without `column` unless with_column), the element's, its place
  std::size_t column = 0;         ///< ARRAY, MAP or MULTISET
  bool with_column = true;
  bool with_ordinality = false;
  bool keep = false;              ///< a row without elements once, with nulls
};

/// Each row once for every element of a column, with the row's kind, origin and edge watermark. Keeps nothing. A NULL element that is a ROW is left out; an element of
/// a MULTISET comes as often as it is in it.
dataflow::OperatorFactory make_unnest(UnnestSpec spec);

}  // namespace supyo::operators
