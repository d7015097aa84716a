#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "sql/syntax/ast.h"

namespace supyo::syntax {

/// Builds canonical SQL: one space between words, parentheses only where the grammar needs them. Private to the printer.
class SqlText {
 public:
  std::string take() { return std::move(out_); }

  void statement(const Statement& statement);
  void query(const Query& query);
  void type(const TypeName& type);
  void name(const Name& name);
  /// `expr` where only operators of at least `min_precedence` may stand bare.
  void expr(const Expr& expr, int min_precedence = 0);

 private:
  // printer_expr.cc: one overload a node
  void node(const NullLiteral&);
  void node(const BooleanLiteral&);
  void node(const NumberLiteral&);
  void node(const StringLiteral&);
  void node(const BinaryLiteral&);
  void node(const TemporalLiteral&);
  void node(const IntervalLiteral&);
  void node(const ColumnRef&);
  void node(const Star&);
  void node(const Unary&);
  void node(const Binary&);
  void node(const IsTest&);
  void node(const Between&);
  void node(const Like&);
  void node(const InList&);
  void node(const InQuery&);
  void node(const Exists&);
  void node(const QuantifiedComparison&);
  void node(const ScalarQuery&);
  void node(const Case&);
  void node(const Cast&);
  void node(const Extract&);
  void node(const RoundToUnit&);
  void node(const TimestampArithmetic&);
  void node(const TimeDifference&);
  void node(const Trim&);
  void node(const RowValue&);
  void node(const ArrayValue&);
  void node(const MapValue&);
  void node(const Subscript&);
  void node(const FieldAccess&);
  void node(const FunctionCall&);
  void node(const TableArgument&);
  void node(const Descriptor&);
  void node(const DefaultValue&);

  void function_name(const FunctionCall& call);
  void function_arguments(const FunctionCall& call);
  void json_clauses(const JsonClauses& json, bool after_arguments);
  void window(const WindowDefinition& window);
  void window_body(const WindowDefinition& window);
  void frame(const WindowFrame& frame);
  void bound(const FrameBound& bound);
  void order_items(const std::vector<OrderItem>& items);
  void expr_list(const std::vector<ExprPtr>& list);
  void base(const Expr& expr);

  // printer_query.cc
  void body(const QueryBody& body, int min_precedence);
  void select(const Select& select);
  void values(const Values& values);
  void group_item(const GroupItem& item);
  void table(const TableRef& table);
  void table_node(const TableRef& table);
  void join(const Join& join);
  void match(const MatchRecognize& match);
  void pattern_element(const PatternElement& element);
  void hints(const std::vector<Hint>& hints);
  void sub_query(const Query& query);

  // printer_statement.cc
  void node(const CreateTable&);
  void node(const CreateView&);
  void node(const CreateFunction&);
  void node(const CreateCatalog&);
  void node(const CreateDatabase&);
  void node(const UseCatalog&);
  void node(const UseDatabase&);
  void node(const Drop&);
  void node(const Alter&);
  void node(const Show&);
  void node(const Describe&);
  void node(const Explain&);
  void node(const SetOption&);
  void node(const ResetOption&);
  void node(const Insert&);
  void node(const StatementSet&);
  void node(const SelectStatement&);
  void node(const StopJob&);
  void node(const Modules&);
  void column(const ColumnDefinition& column);
  void primary_key(const PrimaryKeyDefinition& key);
  void watermark(const WatermarkDefinition& definition);
  void define(const Alter::Define& d);
  void like_clause(const LikeClause& like);
  void distribution(std::string_view word, const Distribution& d);
  void partition_values(const std::vector<PartitionValue>& values);
  void options(const std::vector<OptionEntry>& options);
  void option(const OptionEntry& entry);
  void comment(std::string_view comment);
  void create(bool temporary, std::string_view what, bool if_not_exists);

  void text(std::string_view s) { out_ += s; }
  void identifier(const Identifier& id);
  void identifiers(const std::vector<Identifier>& list);  ///< (a, b)
  void string(std::string_view value);
  /// Calls `print(item)` for each, with ", " between.
  template <class List, class Print>
  void list(const List& items, Print print) {
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_ += ", ";
      first = false;
      print(item);
    }
  }

  std::string out_;
};

}  // namespace supyo::syntax
