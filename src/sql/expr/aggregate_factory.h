#pragma once
#include <span>
#include <string_view>

#include "sql/expr/registry.h"

namespace supyo::expr {

/// Aggregates by Flink's names, sorted.
std::span<const std::string_view> aggregate_names();

/// What SHOW FUNCTIONS and the reference print of an aggregate.
struct AggregateHelp {
  std::string_view name;
  std::string_view signature;
  std::string_view help;
};
std::span<const AggregateHelp> aggregate_help();

/// `name` is one of aggregate_names(). Errors: kTypeMismatch, kUnsupported (a combination that no aggregate serves).
Result<ResolvedAggregate> make_aggregate(std::string_view name, std::span<const Type> args, bool distinct, bool retracting);

}  // namespace supyo::expr
