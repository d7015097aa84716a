#pragma once
#include "sql/expr/registry.h"

/// The aggregates themselves; make_aggregate() picks one.
namespace supyo::expr {

/// Short names for what Aggregate::update() takes.
namespace update_arguments {
using Accs = std::span<std::byte* const>;
using Rows = std::span<const std::uint32_t>;
using Signs = std::span<const std::int8_t>;
using Blobs = std::span<std::string* const>;
using Args = std::span<const ColumnPtr>;
}  // namespace update_arguments

AggregatePtr make_count_rows();
AggregatePtr make_count_values();
AggregatePtr make_sum(const Type& arg);
AggregatePtr make_average(const Type& arg);
/// MIN or MAX. With `retracting` every value is kept with its count in the blob, else only the extreme.
AggregatePtr make_extreme(bool greatest, const Type& arg, bool retracting);
/// FIRST_VALUE or LAST_VALUE, in the order of the rows. With `retracting` every value is kept in the blob.
AggregatePtr make_edge_value(bool last, const Type& arg, bool retracting);
/// LISTAGG(text [, separator]), in the order of the rows. Its second argument is the same in all of them.
AggregatePtr make_list(bool distinct, bool retracting);
/// PERCENTILE(DOUBLE, percentage [, BIGINT times]); `many`: the percentage is an array, and so is the result. It is the same in all rows.
AggregatePtr make_percentile(bool many);
/// SINGLE_VALUE: fails when a group has a second row.
AggregatePtr make_single_value(const Type& arg);
/// ARRAY_AGG, COLLECT, JSON_ARRAYAGG, JSON_OBJECTAGG; null where the arguments do not fit. The last of the JSON ones says what becomes of NULLs: 'A' (absent) or 'N' (null).
AggregatePtr make_collected(std::string_view name, std::span<const Type> args);
/// `inner` over the distinct values of its argument; the blob keeps every value with its count.
AggregatePtr make_distinct(AggregatePtr inner, const Type& arg);

}  // namespace supyo::expr
