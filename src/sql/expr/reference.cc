#include <set>

#include "sql/expr/aggregate_factory.h"
#include "sql/expr/registry.h"

namespace supyo::expr {

namespace {

/// Text inside a cell of a Markdown table.
std::string cell(std::string_view s) {
  std::string out;
  for (const char c : s) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string row(std::string_view signature, std::string_view help) { return fmt::format("| `{}` | {} |\n", cell(signature), cell(help)); }

/// Written between or beside its operands: the signature names no call of it.
bool is_operator(const Function& f) { return f.signature.find(f.name + "(") == std::string::npos && !f.signature.starts_with(f.name + " ->"); }

}  // namespace

std::string functions_reference(const FunctionRegistry& registry) {
  std::string out =
      "# Functions\n\n"
      "Names, arguments and results are Flink SQL's. Written by `supyo` itself from the registrations in `src/sql/expr`; the test `sql/expr` checks that it is current.\n"
      "`time` is a DATE, TIME, TIMESTAMP or TIMESTAMP_LTZ; `numeric` any number; [..] may be left out.\n";
  std::string operators;
  std::string functions;
  std::set<std::string> seen;
  for (const Function* f : registry.functions()) {
    if (!seen.insert(f->signature + f->help).second) continue;
    (is_operator(*f) ? operators : functions) += row(f->signature, f->help);
  }
  const std::string head = "\n| | |\n|---|---|\n";
  out += "\n## Aggregates\n" + head;
  for (const AggregateHelp& a : aggregate_help()) out += row(a.signature, a.help);
  out += "\nEach takes `FILTER (WHERE ..)` and works on an input that takes rows back.\n";
  out += "\n## Operators\n" + head + operators;
  out += row("CASE WHEN condition THEN any [WHEN ..] [ELSE any] END", "The value of the first condition that is true.");
  out += row("CAST(any AS type), TRY_CAST(any AS type)", "The value in another type; where it does not fit, CAST fails and TRY_CAST gives null.");
  out += "\n## Functions\n" + head + functions;
  return out;
}

}  // namespace supyo::expr
