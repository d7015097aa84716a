#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "data/types/changelog.h"
#include "data/types/type.h"
#include "engine/dataflow/sink.h"

namespace supyo::job {

/// `sink`, given each epoch's changes as a whole: what an epoch changed and changed back is not seen, so that every output is the query over exactly the
/// inputs before the epoch's cut ('supyo.output-consistency' = 'cut'). Rows wait in memory for the end of the epoch. `key`: columns that identify a row, if
/// there are such: its old and new row are then -U and +U. `mode`: of what arrives; kUpsert needs the key.
std::shared_ptr<dataflow::Sink> with_cut_consistency(std::shared_ptr<dataflow::Sink> sink, Schema schema, ChangelogMode mode, std::optional<std::vector<std::size_t>> key);

}  // namespace supyo::job
