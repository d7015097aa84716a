#pragma once
#include <memory>
#include <vector>

#include "data/types/type.h"
#include "data/types/value.h"
#include "engine/dataflow/source.h"

namespace supyo::operators {

/// VALUES (..), (..): a bounded source of one split; its position is the number of rows given.
std::shared_ptr<dataflow::Source> make_values(Schema schema, std::vector<std::vector<Value>> rows);

}  // namespace supyo::operators
