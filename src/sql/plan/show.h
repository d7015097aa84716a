#pragma once
#include <string>
#include <vector>

#include "sql/plan/bind_query.h"
#include "sql/plan/planner.h"

namespace supyo::plan {

/// Rows of STRING columns.
Listing text_listing(const std::vector<std::string>& columns, const std::vector<std::vector<std::string>>& rows);
/// SHOW .., under the column names that Flink's client prints.
Result<Listing> show(BindContext& context, const syntax::Show& show, const syntax::Span& span);
/// DESCRIBE of a table or view.
Result<Listing> describe_object(BindContext& context, const syntax::Describe& describe);
/// SQL's LIKE with % and _, for names.
bool like_matches(std::string_view pattern, std::string_view text);

}  // namespace supyo::plan
