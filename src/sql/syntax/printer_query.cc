#include "sql/syntax/sql_text.h"

namespace supyo::syntax {
namespace {

constexpr int kUnionPrecedence = 1;
constexpr int kIntersectPrecedence = 2;

}  // namespace

void SqlText::sub_query(const Query& inner) {
  text("(");
  query(inner);
  text(")");
}

void SqlText::query(const Query& query) {
  if (!query.with.empty()) {
    text(query.recursive ? "WITH RECURSIVE " : "WITH ");
    list(query.with, [&](const CommonTable& table) {
      identifier(table.name);
      if (!table.columns.empty()) {
        text(" ");
        identifiers(table.columns);
      }
      text(" AS ");
      sub_query(*table.query);
    });
    text(" ");
  }
  body(query.body, 0);
  if (!query.order_by.empty()) {
    text(" ORDER BY ");
    order_items(query.order_by);
  }
  if (query.limit) {
    text(" LIMIT ");
    expr(*query.limit);
  }
  if (query.offset) {
    text(" OFFSET ");
    expr(*query.offset);
  }
}

void SqlText::body(const QueryBody& body, int min_precedence) {
  if (const auto* inner = body.as<QueryPtr>()) return sub_query(**inner);
  if (const auto* plain = body.as<Select>()) return select(*plain);
  if (const auto* rows = body.as<Values>()) return values(*rows);
  const auto& operation = std::get<SetOperation>(body.node);
  using Kind = SetOperation::Kind;
  const int strength = operation.kind == Kind::kIntersect ? kIntersectPrecedence : kUnionPrecedence;
  const bool parentheses = strength < min_precedence;
  if (parentheses) text("(");
  this->body(*operation.left, strength);
  text(operation.kind == Kind::kUnion ? " UNION " : operation.kind == Kind::kIntersect ? " INTERSECT " : " EXCEPT ");
  if (operation.all) text("ALL ");
  this->body(*operation.right, strength + 1);
  if (parentheses) text(")");
}

void SqlText::select(const Select& select) {
  text("SELECT ");
  if (!select.hints.empty()) {
    hints(select.hints);
    text(" ");
  }
  if (select.distinct) text("DISTINCT ");
  list(select.items, [&](const SelectItem& item) {
    expr(*item.expr);
    if (!item.alias) return;
    text(" AS ");
    identifier(*item.alias);
  });
  if (!select.from.empty()) {
    text(" FROM ");
    list(select.from, [&](const TableRefPtr& ref) { table(*ref); });
  }
  if (select.where) {
    text(" WHERE ");
    expr(*select.where);
  }
  if (select.has_group_by) {
    text(select.group_distinct ? " GROUP BY DISTINCT " : " GROUP BY ");
    list(select.group_by, [&](const GroupItem& item) { group_item(item); });
  }
  if (select.having) {
    text(" HAVING ");
    expr(*select.having);
  }
  if (!select.windows.empty()) {
    text(" WINDOW ");
    list(select.windows, [&](const NamedWindow& entry) {
      identifier(entry.name);
      text(" AS ");
      window_body(entry.window);
    });
  }
  if (select.qualify) {
    text(" QUALIFY ");
    expr(*select.qualify);
  }
}

void SqlText::values(const Values& values) {
  text("VALUES ");
  list(values.rows, [&](const std::vector<ExprPtr>& row) {
    // A row that is one row needs the word: ((1, 2)) is the row (1, 2).
    const bool word = row.empty() || (row.size() == 1 && row.front()->as<RowValue>() != nullptr);
    text(word ? "ROW(" : "(");
    expr_list(row);
    text(")");
  });
}

void SqlText::group_item(const GroupItem& item) {
  using Kind = GroupItem::Kind;
  if (item.kind == Kind::kExpressions) {
    if (item.expressions.size() == 1) return expr(*item.expressions.front());
    text("(");
    expr_list(item.expressions);
    return text(")");
  }
  text(item.kind == Kind::kRollup ? "ROLLUP (" : item.kind == Kind::kCube ? "CUBE (" : "GROUPING SETS (");
  list(item.items, [&](const GroupItem& inner) { group_item(inner); });
  text(")");
}

void SqlText::table(const TableRef& ref) {
  table_node(ref);
  if (!ref.alias) return;
  text(" AS ");
  identifier(*ref.alias);
  if (ref.column_aliases.empty()) return;
  text(" ");
  identifiers(ref.column_aliases);
}

void SqlText::table_node(const TableRef& ref) {
  if (const auto* by_name = ref.as<TableByName>()) {
    name(by_name->name);
    if (!by_name->hints.empty()) {
      text(" ");
      hints(by_name->hints);
    }
    if (by_name->system_time) {
      text(" FOR SYSTEM_TIME AS OF ");
      expr(*by_name->system_time);
    }
  } else if (const auto* derived = ref.as<DerivedTable>()) {
    if (derived->lateral) text("LATERAL ");
    sub_query(*derived->query);
  } else if (const auto* function = ref.as<TableFunction>()) {
    text(function->lateral ? "LATERAL TABLE(" : "TABLE(");
    node(function->call);
    text(")");
  } else if (const auto* unnest = ref.as<Unnest>()) {
    text("UNNEST(");
    expr_list(unnest->arrays);
    text(unnest->with_ordinality ? ") WITH ORDINALITY" : ")");
  } else if (const auto* pattern = ref.as<MatchRecognize>()) {
    match(*pattern);
  } else {
    join(std::get<Join>(ref.node));
  }
}

void SqlText::match(const MatchRecognize& match) {
  using Skip = MatchRecognize::Skip;
  table(*match.input);
  text(" MATCH_RECOGNIZE (");
  if (!match.partition_by.empty()) {
    text("PARTITION BY ");
    expr_list(match.partition_by);
    text(" ");
  }
  if (!match.order_by.empty()) {
    text("ORDER BY ");
    order_items(match.order_by);
    text(" ");
  }
  if (!match.measures.empty()) {
    text("MEASURES ");
    list(match.measures, [&](const SelectItem& measure) {
      expr(*measure.expr);
      text(" AS ");
      identifier(*measure.alias);
    });
    text(" ");
  }
  text("ONE ROW PER MATCH ");
  switch (match.skip) {
    case Skip::kDefault: break;
    case Skip::kPastLastRow: text("AFTER MATCH SKIP PAST LAST ROW "); break;
    case Skip::kToNextRow: text("AFTER MATCH SKIP TO NEXT ROW "); break;
    case Skip::kToFirst: text("AFTER MATCH SKIP TO FIRST "); break;
    case Skip::kToLast: text("AFTER MATCH SKIP TO LAST "); break;
  }
  if (match.skip_to) {
    identifier(*match.skip_to);
    text(" ");
  }
  text("PATTERN (");
  for (std::size_t i = 0; i < match.pattern.size(); ++i) {
    if (i > 0) text(" ");
    pattern_element(match.pattern[i]);
  }
  text(")");
  if (match.within) {
    text(" WITHIN ");
    expr(*match.within);
  }
  text(" DEFINE ");
  list(match.defines, [&](const MatchDefinition& definition) {
    identifier(definition.variable);
    text(" AS ");
    expr(*definition.condition);
  });
  text(")");
}

void SqlText::pattern_element(const PatternElement& element) {
  identifier(element.variable);
  if (!element.quantified) return;
  if (!element.most) {
    text(element.least == 0 ? "*" : element.least == 1 ? "+" : fmt::format("{{{},}}", element.least));
  } else if (element.least == 0 && *element.most == 1) {
    text("?");
  } else {
    text(element.least == *element.most ? fmt::format("{{{}}}", element.least) : fmt::format("{{{},{}}}", element.least, *element.most));
  }
  if (element.reluctant) text("?");
}

void SqlText::join(const Join& join) {
  using Kind = Join::Kind;
  table(*join.left);
  text(join.natural ? " NATURAL" : "");
  switch (join.kind) {
    case Kind::kInner: text(" JOIN "); break;
    case Kind::kLeft: text(" LEFT JOIN "); break;
    case Kind::kRight: text(" RIGHT JOIN "); break;
    case Kind::kFull: text(" FULL JOIN "); break;
    case Kind::kCross: text(" CROSS JOIN "); break;
  }
  const bool nested = join.right->as<Join>() != nullptr;
  if (nested) text("(");
  table(*join.right);
  if (nested) text(")");
  if (join.on) {
    text(" ON ");
    expr(*join.on);
  } else if (!join.columns.empty()) {
    text(" USING ");
    identifiers(join.columns);
  }
}

void SqlText::hints(const std::vector<Hint>& hints) {
  text("/*+ ");
  list(hints, [&](const Hint& hint) {
    identifier({{}, hint.name});
    if (hint.options.empty() && hint.arguments.empty()) return;
    text("(");
    list(hint.options, [&](const OptionEntry& entry) { option(entry); });
    if (!hint.options.empty() && !hint.arguments.empty()) text(", ");
    list(hint.arguments, [&](const std::string& argument) { string(argument); });
    text(")");
  });
  text(" */");
}

}  // namespace supyo::syntax
