#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/syntax/ast.h"
#include "sql/syntax/token.h"

namespace supyo::syntax {

/// Recursive descent over the tokens of one text, with precedence climbing for expressions. Private to the room.
///
/// The first error is kept and the cursor jumps to the end of the text, where nothing but kEnd is ever seen: every loop
/// ends, and what is being built is thrown away by finish(). So rules need no error plumbing, but must not look into
/// children (they may be empty after an error).
///
/// Two bounds keep the stack safe: `nesting_` (how deep the rules call each other) and `height_` (how tall the finished
/// tree is: a long `a + b + c ..` is parsed by a loop but is a tall tree, which copying and printing walk recursively).
class Parser {
 public:
  explicit Parser(std::string_view text);

  std::vector<Statement> script();
  Statement single_statement();
  Expr single_expression();
  TypeName single_type();

  std::optional<Error> take_error() { return std::move(error_); }

 private:
  // ---- cursor (parser_cursor.cc)
  const Token& peek(std::size_t ahead = 0) const;
  bool at_end() const { return peek().kind == TokenKind::kEnd; }
  bool is_word(std::string_view upper, std::size_t ahead = 0) const;
  bool is_symbol(std::string_view symbol, std::size_t ahead = 0) const;
  bool is_kind(TokenKind kind, std::size_t ahead = 0) const { return peek(ahead).kind == kind; }
  const Token& take();
  /// Takes the word or words when all are there. The first one is remembered as a candidate for did-you-mean.
  bool accept(std::string_view words);
  bool accept_symbol(std::string_view symbol);
  void expect(std::string_view words);
  void expect_symbol(std::string_view symbol);
  /// "expected X, but found Y" at the current token, with the nearest word that could have stood there.
  void fail_expected(std::string_view what);
  void fail_at(const Span& span, ErrorCode code, std::string message, std::string hint = {});
  void fail_unsupported(std::string_view construct, std::string hint);
  std::string found() const;
  /// From the token number `start` to the last one taken.
  Span span_from(std::size_t start) const;
  std::size_t here() const { return at_; }

  Identifier identifier(std::string_view what);
  Identifier word_as_identifier(std::string_view what);
  /// An alias without AS: a name that is not reserved. Remembered, since it may be a misspelt keyword.
  std::optional<Identifier> implicit_alias();
  std::optional<Identifier> alias();
  Name name(std::string_view what);
  std::vector<Identifier> identifier_list(std::string_view what);
  std::string string_literal(std::string_view what);
  int small_integer(std::string_view what);

  // ---- types (parser_type.cc)
  TypeName type();
  TypeName simple_type();
  TypeName row_type(std::size_t start);
  void type_arguments(TypeName& type, std::size_t count);
  void time_suffix(TypeName& type);
  void interval_type(TypeName& type);
  std::optional<TimeUnit> try_time_unit();
  std::optional<TimeUnit> interval_unit();
  void interval_digits();
  TimeUnit time_unit();
  TimeUnit finer_unit(TimeUnit coarse);

  // ---- expressions (parser_expr.cc, parser_special.cc)
  ExprPtr expression(int min_precedence = 0);
  ExprPtr prefix();
  ExprPtr infix(std::size_t start, ExprPtr left, int min_precedence, bool& more);
  ExprPtr negatable_infix(std::size_t start, ExprPtr left, bool negated);
  ExprPtr comparison(std::size_t start, ExprPtr left, BinaryOp op, int precedence);
  ExprPtr is_test(std::size_t start, ExprPtr left);
  ExprPtr in_operand(std::size_t start, ExprPtr left, bool negated);
  ExprPtr postfix(std::size_t start, ExprPtr base);
  ExprPtr primary();
  ExprPtr parenthesised();
  ExprPtr overlaps(std::size_t start, RowValue first);
  ExprPtr name_or_call();
  std::optional<ExprPtr> special_primary();
  std::optional<ExprPtr> literal();
  std::optional<ExprPtr> special_call();
  ExprPtr case_expression();
  ExprPtr cast_expression();
  ExprPtr interval_literal();
  ExprPtr trim_call();
  ExprPtr extract_call();
  ExprPtr timestamp_call();
  ExprPtr table_argument();
  ExprPtr descriptor();
  FunctionCall call(Name function);
  bool special_arguments(FunctionCall& function);
  bool json_arguments(FunctionCall& function, std::string_view name);
  void json_pair(FunctionCall& function);
  JsonClauses::Otherwise json_otherwise(ExprPtr& value);
  FunctionArgument function_argument();
  void call_suffix(FunctionCall& function);
  void check_plain_arguments(const FunctionCall& function);
  WindowDefinition window_reference();
  WindowDefinition window_body(std::size_t start);
  WindowFrame window_frame();
  FrameBound frame_bound();
  std::vector<ExprPtr> expression_list();
  std::vector<ExprPtr> maybe_parenthesised_list();
  std::vector<OrderItem> order_items();
  OrderItem order_item();
  ExprPtr make(std::size_t start, Expr::Node node) const;

  // ---- queries (parser_query.cc)
  bool starts_query(std::size_t ahead = 0) const;
  QueryPtr query();
  Query query_inner();
  void with_clause(Query& query);
  void limit_clauses(Query& query);
  QueryBody query_body(int min_precedence);
  QueryBody query_primary();
  Select select();
  Select explicit_table();
  SelectItem select_item();
  void group_by(Select& select);
  GroupItem group_item();
  Values values();
  std::vector<TableRefPtr> from_clause();
  TableRefPtr joined_table();
  std::optional<Join> join_operator();
  void join_condition(Join& join);
  TableRefPtr table_primary();
  TableRef::Node table_node();
  TableRef::Node table_by_name_or_call();
  void table_alias(TableRef& ref);
  std::vector<Hint> hints();
  Hint hint();
  // ---- MATCH_RECOGNIZE (parser_match.cc)
  MatchRecognize match_recognize(TableRefPtr input);
  void match_skip(MatchRecognize& match);
  PatternElement pattern_element();
  void pattern_bounds(PatternElement& element);
  FunctionCall table_function_call();

  // ---- statements (parser_statement.cc, parser_create.cc)
  Statement statement();
  Statement::Node statement_node();
  Statement::Node create();
  CreateTable create_table(bool temporary);
  void table_element(CreateTable& table);
  bool bare_columns(CreateTable& table);
  void alter_action(Alter& alter);
  Alter::Define define_parts(bool modify);
  void placed_part(Alter::Define& define, CreateTable& parts);
  void drop_parts(Alter& alter);
  Alter::Partitions partitions();
  ColumnDefinition column_definition(CreateTable& table);
  void column_constraints(CreateTable& table, ColumnDefinition& column);
  void primary_key(CreateTable& table, std::optional<Identifier> constraint, std::optional<Identifier> column);
  LikeClause like_clause();
  Distribution distribution();
  std::vector<PartitionValue> partition_values();
  CreateView create_view(bool temporary);
  CreateFunction create_function(bool temporary);
  Statement::Node use();
  Statement::Node drop();
  Statement::Node alter();
  Statement::Node show();
  void show_name(Show& show);
  Statement::Node module();
  Statement::Node describe();
  Statement::Node explain();
  Statement::Node set_option();
  Statement::Node reset_option();
  Insert insert();
  StatementSet statement_set();
  StatementSet begin_statement_set();
  Statement::Node stop_job();
  void set_entry(StatementSet& set);
  std::vector<OptionEntry> option_list();
  OptionEntry option_entry();
  bool if_not_exists();
  std::string comment_clause();
  bool refuse_known_statement();

  /// Counts one level of rule recursion and of tree height while it lives.
  class Level {
   public:
    explicit Level(Parser& parser);
    ~Level();
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Parser& parser_;
    int outer_height_;
  };
  /// The tree under construction got one node taller (a loop wrapped its left side).
  void grow();

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  int height_ = 0;
  std::vector<std::string_view> candidates_;  ///< words tried at token candidates_at_
  std::size_t candidates_at_ = 0;
  std::optional<std::size_t> last_alias_;     ///< token number of the last alias without AS
  std::optional<Error> error_;
};

}  // namespace supyo::syntax
