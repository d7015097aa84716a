#pragma once
#include "sql/expr/random.h"
#include "sql/plan/physical.h"

namespace supyo::plan {

/// RAND, RAND_INTEGER and UUID in the expressions of one operator.
class RandomCalls {
 public:
  /// Over rows that change they are of the row: what takes it back has to take back what it gave.
  explicit RandomCalls(const PhysicalNode& input) : RandomCalls(input.output) { of_row_ = !input.changes.append_only(); }
  /// Of pairs of rows in a join, which are looked at more than once.
  explicit RandomCalls(const Schema& rows) : columns_(rows.types()) {}
  expr::ExprPtr settle(const expr::ExprPtr& e) { return expr::settle_random(e, of_row_, columns_, calls_); }

 private:
  std::vector<Type> columns_;
  bool of_row_ = true;
  std::int64_t calls_ = 0;
};

}  // namespace supyo::plan
