#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/types/zone.h"
#include "engine/operators/sort.h"
#include "sql/expr/expr.h"
#include "sql/expr/registry.h"

namespace supyo::operators {

/// MATCH_RECOGNIZE (PARTITION BY partition ORDER BY time_column, order ..): finds rows that stand behind one another as a pattern of variables says, as Flink's does.
/// Output: the partition's columns, then one column a reference.
///
/// Rows wait until the combined watermark reaches their time. Every row may begin a match; a match is a run of rows without gaps. A greedy variable takes a row whenever it
/// can, and what follows it none that it could take (Flink's rule: nothing is tried again). Of matches that begin at one row the first that is complete counts; one is given
/// out when no run that began before it is still open. A row whose time its edge watermark has reached is late: emit_late(). Takes inserts only.
/// Kept: rows that wait, and of each partition its open runs with the rows since the first of them; with `within` they end by the watermark.
struct MatchRecognizeSpec {
  /// A value that a condition or a result reads off the rows of a run.
  struct Reference {
    enum class Kind : std::uint8_t { kFirst, kLast, kAggregate, kTime } kind = Kind::kLast;
    std::size_t variable = SIZE_MAX;         ///< whose rows; SIZE_MAX: all
    std::size_t column = 0;                  ///< kFirst, kLast: of the input
    std::uint64_t offset = 0;                ///< rows behind the first, before the last
    expr::AggregateCall aggregate;           ///< kAggregate: rows only go into it
    std::string name;
    Type type;
  };
  struct Variable {
    std::string name;
    std::uint64_t least = 1;
    std::optional<std::uint64_t> most = 1;   ///< none: any number
    bool greedy = false;
    expr::ExprPtr condition;                 ///< over `references`, of the run with the row in question as the variable's last one; null: every row
    std::vector<Reference> references;
  };
  enum class Skip : std::uint8_t { kPastLastRow, kToNextRow, kToFirst, kToLast };
  Schema input;
  std::vector<std::size_t> partition;
  std::size_t time_column = 0;
  std::vector<SortSpec::Key> order;          ///< of rows of one time
  std::vector<Variable> variables;           ///< in the pattern's order; the last one is not greedy, and not all may be left out
  std::vector<Reference> references;
  Skip skip = Skip::kToNextRow;
  std::size_t skip_to = 0;                   ///< kToFirst, kToLast: a variable. A match without a row of it, or that begins with it, fails the job
  std::optional<DurationUs> within_us;       ///< between the first row and the last one: less
  bool origins = false;
  Zone zone = {};
  std::string label = "Match";
};
Schema output_schema(const MatchRecognizeSpec& spec);
dataflow::OperatorFactory make_match_recognize(MatchRecognizeSpec spec);

}  // namespace supyo::operators
