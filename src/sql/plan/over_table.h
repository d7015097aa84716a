#pragma once
#include "sql/plan/logical.h"

/// OVER as OverTable: what is asked of rows that come and go, or in an order that no watermark follows.
namespace supyo::plan {

/// `node`, an OVER by event time, over an input whose rows are updated.
LogicalPtr over_rows_that_change(const LogicalNode& node, const LogicalOver& over);
/// Errors: kUnsupported, for RANGE with a bound.
Result<LogicalPtr> over_rows_that_change(const LogicalNode& node, const LogicalOverAggregate& over);

/// ROW_NUMBER that nothing bounds: by a time attribute, upwards, it counts the rows as they leave; else all are kept.
LogicalPtr number_rows(const LogicalNode& node, const LogicalRank& rank);

/// A Top-N whose order is a processing time: that of arrival. Errors: kUnsupported.
Status rank_as_they_come(TopN& op, const LogicalRank& rank, const Changes& input);

}  // namespace supyo::plan
