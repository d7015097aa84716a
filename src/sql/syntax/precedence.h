#pragma once
#include "sql/syntax/ast_expr.h"

namespace supyo::syntax {

/// Binding strengths of Calcite's operator table, which Flink uses: larger binds tighter. `||` binds like `*`, and IS .. is
/// looser than a comparison: `a = b IS NULL` asks whether `a = b` is null.
inline constexpr int kPrecedenceOr = 22;
inline constexpr int kPrecedenceAnd = 24;
inline constexpr int kPrecedenceNot = 26;
inline constexpr int kPrecedenceIs = 28;
inline constexpr int kPrecedenceComparison = 30;
inline constexpr int kPrecedenceRange = 32;  // LIKE, SIMILAR TO, BETWEEN, IN
inline constexpr int kPrecedenceAdd = 40;
inline constexpr int kPrecedenceMultiply = 60;
inline constexpr int kPrecedenceUnary = 80;
inline constexpr int kPrecedencePrimary = 100;

constexpr int precedence(BinaryOp op) {
  switch (op) {
    case BinaryOp::kOr: return kPrecedenceOr;
    case BinaryOp::kAnd: return kPrecedenceAnd;
    case BinaryOp::kPlus:
    case BinaryOp::kMinus: return kPrecedenceAdd;
    case BinaryOp::kConcat:
    case BinaryOp::kMultiply:
    case BinaryOp::kDivide:
    case BinaryOp::kModulo: return kPrecedenceMultiply;
    default: return kPrecedenceComparison;
  }
}

}  // namespace supyo::syntax
