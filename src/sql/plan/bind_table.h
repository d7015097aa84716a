#pragma once
#include "sql/catalog/table.h"
#include "sql/plan/bind_query.h"
#include "sql/syntax/ast.h"

namespace supyo::plan {

/// The definition that CREATE TABLE declares, everything checked that does not need the outside system. For CREATE TABLE AS, `query_schema` gives
/// the columns. Errors: kTypeMismatch, kUnknownColumn, kAlreadyExists (a column twice), option errors with their positions.
Result<catalog::TableDefinition> bind_create_table(BindContext& context, const syntax::CreateTable& create, const catalog::ObjectPath& path,
                                                   const Schema* query_schema);

/// INSERT: the query with its columns in the table's order and types, under a sink.
Result<LogicalPtr> bind_insert(BindContext& context, const syntax::Insert& insert);
/// Rows of a query as those of a table, by the columns' names; what the query does not have is NULL (CREATE TABLE AS).
Result<LogicalPtr> by_name(BindContext& context, LogicalPtr query, const catalog::TableDefinition& table, const syntax::Span& span);
/// The definition that ALTER TABLE makes of one.
Result<catalog::TableDefinition> bind_alter_table(BindContext& context, const catalog::TableDefinition& table, const syntax::Alter& alter);
/// Its values for each partition column of `table`; nothing for those that `spec` does not name. Errors: kUnknownColumn, kInvalidQuery (the table has no partitions).
Result<std::vector<std::optional<std::string>>> partition_of(const catalog::TableDefinition& table, const std::vector<syntax::PartitionValue>& spec, const syntax::Span& span);
/// The sink of an INSERT whose query and target are bound already (CREATE TABLE AS).
Result<LogicalPtr> make_table_sink(BindContext& context, LogicalPtr query, catalog::TableDefinition table, const syntax::Span& span);

/// Options as a map. Errors: kInvalidQuery for a key twice.
Result<catalog::Options> bind_options(const std::vector<syntax::OptionEntry>& entries);
/// Name parts as plain texts.
std::vector<std::string> parts_of(const syntax::Name& name);

}  // namespace supyo::plan
