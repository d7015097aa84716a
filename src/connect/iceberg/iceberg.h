#pragma once
#include <memory>

#include "core/base/result.h"
#include "core/env/env.h"
#include "engine/dataflow/sink.h"
#include "engine/dataflow/source.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// 'connector' = 'iceberg': tables of a path-based (hadoop) catalog, format version 2, Parquet.
///
/// Source: bounded, the snapshot that is current when the job starts (and that one again after a restart, as long as it is kept).
/// Sink: append, exactly once. Each epoch's rows become data files (one per shard and partition, more when they reach
/// `write.target-file-size-bytes`) and one snapshot that carries job, sink and epoch; an epoch without rows makes no snapshot.
/// Fault points: `iceberg.write.before` (files of an epoch, per shard) and `iceberg.commit.before`.
catalog::ConnectorDescriptor iceberg_descriptor();
/// For CREATE CATALOG c WITH ('type'='iceberg', 'catalog-type'='hadoop', 'warehouse'=...). What `env` refers to must outlive the catalogs.
/// The warehouse must come out absolute: table metadata names files by full paths.
catalog::ExternalCatalogFactory iceberg_catalog_factory(const env::Env& env);
/// Errors: kUnknownTable, kUnknownColumn, kTypeMismatch (the table declared here does not fit the stored one), kUnsupported.
Result<std::shared_ptr<dataflow::Source>> make_iceberg_source(const catalog::SourceRequest& request, const env::Env& env);
/// A table that does not exist yet is made when the job starts. Errors: kUnsupported (upsert, other formats), kBadOptionValue.
Result<std::shared_ptr<dataflow::Sink>> make_iceberg_sink(const catalog::SinkRequest& request, const env::Env& env);

}  // namespace supyo::connect
