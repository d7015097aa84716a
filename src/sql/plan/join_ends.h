#pragma once
#include "sql/plan/physical.h"

namespace supyo::plan {

/// Regular joins with the results of windows: what comes of a window has an end that lies behind the watermark, so that a row of the other side which the condition bounds against that end
/// (b.ts >= w.window_end - INTERVAL '10' SECOND) finds no partner any more once the watermark is past the bound. The result is the same; the rows need not be kept.
/// Sets Join::ends: of inner joins, for sides of inserts without a TTL. Not where a partition can be idle: it may be behind the others when it comes back.
void find_join_ends(PhysicalPlan& plan);

}  // namespace supyo::plan
