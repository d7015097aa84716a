#pragma once
#include <memory>

#include "core/base/result.h"
#include "core/env/env.h"
#include "engine/dataflow/lookup.h"
#include "engine/dataflow/sink.h"
#include "engine/dataflow/source.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// 'connector' = 'jdbc': tables of PostgreSQL ('jdbc:postgresql://host:port/db', by libpq) and of SQLite ('jdbc:sqlite:PATH', which Flink lacks). No Java is involved.
///
/// All errors name the table and where it is, never a password: kOutsideUnavailable (nobody answers: may be tried again), kNotAllowed (login, privileges),
/// kUnknownTable, kUnknownColumn, kTypeMismatch (a column of another type), kUnsupported (a type that the connector does not have).
catalog::ConnectorDescriptor jdbc_descriptor();

/// Bounded. Read in pages by primary key (SQLite without one: by rowid; PostgreSQL without one: through a cursor, in the order of all columns), so that a restart goes on
/// after the last row. One split, or one a 'scan.partition.*' range. A value that does not fit its column makes a dead record.
/// Asks the database from the shard's thread, a page at a time.
Result<std::shared_ptr<dataflow::Source>> make_jdbc_source(const catalog::SourceRequest& request, const env::Env& env);

/// An epoch's rows are in its commit handle (with a primary key: the last change of each key) and are written in one transaction when the epoch is final. With a key that is
/// idempotent; without one the epoch's number is written with them, into the table `supyo_epochs`, and an epoch that is there is not written again.
/// 'sink.delivery-guarantee' = 'at-least-once' leaves that table out. The database is spoken to by a thread of the sink's own.
Result<std::shared_ptr<dataflow::Sink>> make_jdbc_sink(const catalog::SinkRequest& request, const env::Env& env);

/// Rows by the values of `key_columns` (of the table's schema; `key_types`: of the values asked with), the columns of `request` of them.
Result<std::unique_ptr<dataflow::Lookup>> make_jdbc_lookup(const catalog::SourceRequest& request, const dataflow::LookupKeys& keys, const env::Env& env);
/// How found rows may be kept: 'lookup.*'.
Result<dataflow::LookupCache> jdbc_lookup_cache(const catalog::Options& options);

}  // namespace supyo::connect
