#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/types/type.h"
#include "data/types/visibility.h"
#include "engine/dataflow/sink.h"

namespace supyo::job {

/// `sink`, telling `observer` a hash of `columns` of every row that is inserted: what the judge finds repeats by. `sink` as it is where its table lacks
/// one of the columns. Updates and deletes of a row are no new event. `observer` outlives the sink.
std::shared_ptr<dataflow::Sink> with_identities(std::shared_ptr<dataflow::Sink> sink, const Schema& schema, const std::vector<std::string>& columns, VisibilityObserver& observer);

}  // namespace supyo::job
