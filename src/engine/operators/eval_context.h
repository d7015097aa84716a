#pragma once
#include "engine/dataflow/operator.h"
#include "sql/expr/expr.h"

namespace supyo::operators {

/// What the expressions of an operator see beside their rows.
inline expr::EvalContext eval_context(const dataflow::OperatorContext& ctx, const Zone& zone) {
  return {.now_us = ctx.now_us(), .watermark_us = ctx.watermark_us(), .zone = zone, .random = &ctx.random(), .salt = ctx.job_salt()};
}

}  // namespace supyo::operators
