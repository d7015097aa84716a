#pragma once
#include <algorithm>
#include <span>

#include "data/types/changelog.h"
#include "sql/expr/registry.h"

namespace supyo::expr {

/// Windows that overlap share slices: a row goes into one group, of those rows that came while the same windows were open to it, and windows put the groups of their slices together. HOP whose size is
/// a multiple of its slide, and CUMULATE, of calls whose groups come together exactly, whichever row came in which order.
inline bool shares_slices(const WindowSpec& window, std::span<const AggregateCall> calls) {
  static constexpr std::string_view kMerge[] = {"COUNT", "SUM", "AVG", "MIN", "MAX"};
  const bool hops = window.kind == WindowSpec::Kind::kHop && window.slide_us > 0 && window.size_us > window.slide_us && window.size_us % window.slide_us == 0;
  return (hops || window.kind == WindowSpec::Kind::kCumulate) && std::ranges::all_of(calls, [](const AggregateCall& c) {
    return !c.distinct && !c.aggregate->needs_blob() && !c.aggregate->result().is_floating() && std::ranges::find(kMerge, c.aggregate->name()) != std::end(kMerge);
  });
}

}  // namespace supyo::expr
