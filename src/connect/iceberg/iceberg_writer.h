#pragma once
#include <memory>

#include "connect/iceberg/iceberg_target.h"
#include "engine/dataflow/sink.h"

namespace supyo::connect {

/// One shard's writer: rows go to one open Parquet file per partition; an epoch's files are finished, synced and described in its handle.
Result<std::unique_ptr<dataflow::SinkWriter>> make_iceberg_writer(const IcebergTarget& target, const dataflow::SinkOpen& open, std::uint32_t shard);

}  // namespace supyo::connect
