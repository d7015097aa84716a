#include "sql/syntax/parser_impl.h"

// FROM t MATCH_RECOGNIZE (..).
namespace supyo::syntax {

MatchRecognize Parser::match_recognize(TableRefPtr input) {
  const Level level(*this);
  MatchRecognize match;
  match.input = std::move(input);
  expect_symbol("(");
  if (accept("PARTITION BY")) match.partition_by = expression_list();
  if (accept("ORDER BY")) match.order_by = order_items();
  if (accept("MEASURES")) {
    do {
      const std::size_t start = here();
      SelectItem measure;
      measure.expr = expression();
      expect("AS");
      measure.alias = identifier("a name for the measure");
      measure.span = span_from(start);
      match.measures.push_back(std::move(measure));
    } while (accept_symbol(","));
  }
  if (is_word("ALL")) fail_unsupported("ALL ROWS PER MATCH", "leave it out: one row a match; MEASURES can read any of its rows with FIRST and LAST");
  accept("ONE ROW PER MATCH");
  match_skip(match);
  expect("PATTERN");
  expect_symbol("(");
  do {
    match.pattern.push_back(pattern_element());
  } while (!is_symbol(")") && !at_end());
  expect_symbol(")");
  if (accept("WITHIN")) match.within = expression();
  if (is_word("SUBSET")) fail_unsupported("SUBSET", "name the variables one by one");
  expect("DEFINE");
  do {
    MatchDefinition definition;
    definition.variable = identifier("a variable of PATTERN");
    expect("AS");
    definition.condition = expression();
    match.defines.push_back(std::move(definition));
  } while (accept_symbol(","));
  expect_symbol(")");
  return match;
}

void Parser::match_skip(MatchRecognize& match) {
  using Skip = MatchRecognize::Skip;
  if (!accept("AFTER MATCH")) return;
  expect("SKIP");
  if (accept("PAST LAST ROW")) {
    match.skip = Skip::kPastLastRow;
  } else if (accept("TO NEXT ROW")) {
    match.skip = Skip::kToNextRow;
  } else {
    expect("TO");
    match.skip = accept("FIRST") ? Skip::kToFirst : Skip::kToLast;
    if (match.skip == Skip::kToLast) accept("LAST");
    match.skip_to = identifier("a variable of PATTERN");
  }
}

PatternElement Parser::pattern_element() {
  if (is_symbol("(")) fail_unsupported("a group in a PATTERN", "write its variables one by one");
  if (is_symbol("{")) fail_unsupported("{- .. -} in a PATTERN", "no row is given out but one a match");
  if (is_word("PERMUTE") && is_symbol("(", 1)) fail_unsupported("PERMUTE in a PATTERN", "write one query an order, and UNION ALL them");
  PatternElement element;
  element.variable = identifier("a variable of the pattern");
  if (is_symbol("||")) fail_unsupported("alternatives in a PATTERN", "write one query for each, and UNION ALL them");
  element.quantified = true;
  if (accept_symbol("*")) {
    element.least = 0;
    element.most.reset();
  } else if (accept_symbol("+")) {
    element.most.reset();
  } else if (accept_symbol("?")) {
    element.least = 0;
  } else if (!is_symbol("-", 1) && accept_symbol("{")) {
    pattern_bounds(element);
  } else {
    element.quantified = false;
  }
  if (element.quantified) element.reluctant = accept_symbol("?");
  return element;
}

void Parser::pattern_bounds(PatternElement& element) {
  const bool from = !is_symbol(",");
  element.least = from ? small_integer("how many rows at least") : 0;
  element.most = element.least;
  if (accept_symbol(",")) {
    element.most.reset();
    if (!is_symbol("}")) element.most = small_integer("how many rows at most");
    else if (!from) fail_expected("how many rows at least or at most");
  }
  expect_symbol("}");
}

}  // namespace supyo::syntax
