#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/types/builder.h"
#include "sql/expr/expr.h"
#include "sql/expr/registry.h"

namespace supyo::expr {
namespace {

class ExprTest : public ::testing::Test {
 protected:
  ExprPtr call_of(const std::string& name, std::vector<ExprPtr> args) {
    std::vector<Type> types;
    for (const ExprPtr& a : args) types.push_back(a->type);
    auto r = registry_.resolve(name, types);
    EXPECT_TRUE(r.has_value()) << name << ": " << (r ? "" : r.error().to_string());
    if (!r) return nullptr;
    for (std::size_t i = 0; i < args.size(); ++i) {
      if (!(args[i]->type.same_kind(r->arg_types[i]))) args[i] = cast(args[i], r->arg_types[i]);
    }
    return call(r->function, std::move(args), r->result);
  }
  std::string value_of(const ExprPtr& e, EvalContext ctx = {}) {
    Batch one;
    one.rows = 1;
    const auto c = evaluate(*e, one, ctx);
    if (!c) return std::string(error_name(c.error().code)) + ": " + c.error().message;
    return value_at(**c, 0).to_string();
  }
  static ExprPtr i32(std::int64_t v) { return literal({.type = Type::integer().not_null(), .data = v}); }
  static ExprPtr i64(std::int64_t v) { return literal({.type = Type::big_int().not_null(), .data = v}); }
  static ExprPtr f64(double v) { return literal({.type = Type::double_().not_null(), .data = v}); }
  static ExprPtr text(std::string v) {
    return literal({.type = Type::char_(static_cast<int>(v.size())).not_null(), .data = std::move(v)});
  }
  static ExprPtr boolean(bool v) { return literal({.type = Type::boolean().not_null(), .data = v}); }
  static ExprPtr null() { return literal({.type = Type::null(), .data = {}}); }
  static ExprPtr dec(const std::string& s, int p, int scale) {
    return literal({.type = Type::decimal(p, scale).not_null(), .data = *parse_decimal(s, p, scale)});
  }
  FunctionRegistry registry_;
};

TEST_F(ExprTest, IntegerArithmeticWrapsAndDivisionByZeroFails) {
  EXPECT_EQ(value_of(call_of("+", {i32(2147483647), i32(1)})), "-2147483648");
  EXPECT_EQ(value_of(call_of("/", {i32(7), i32(-2)})), "-3");
  EXPECT_EQ(value_of(call_of("%", {i32(-7), i32(2)})), "-1");
  EXPECT_EQ(value_of(call_of("/", {i32(-2147483648LL), i32(-1)})), "-2147483648");
  EXPECT_EQ(value_of(call_of("/", {i32(1), i32(0)})), "ARITHMETIC: division by zero");
  EXPECT_EQ(call_of("+", {i32(1), i64(1)})->type, Type::big_int().not_null());
  EXPECT_EQ(value_of(call_of("*", {f64(1.5), i32(2)})), "3.0");
}

TEST_F(ExprTest, DecimalResultTypesAreFlinks) {
  EXPECT_EQ(call_of("+", {dec("1", 10, 2), dec("1", 5, 4)})->type, Type::decimal(13, 4).not_null());
  EXPECT_EQ(call_of("*", {dec("1", 10, 2), dec("1", 5, 4)})->type, Type::decimal(16, 6).not_null());
  EXPECT_EQ(call_of("/", {dec("1", 10, 2), dec("1", 5, 4)})->type, Type::decimal(20, 8).not_null());
  EXPECT_EQ(call_of("*", {dec("1", 38, 10), dec("1", 38, 10)})->type, Type::decimal(38, 6).not_null());
  EXPECT_EQ(call_of("+", {dec("1", 10, 2), i32(1)})->type, Type::decimal(13, 2).not_null());
  EXPECT_EQ(value_of(call_of("+", {dec("12.34", 10, 2), dec("0.0066", 5, 4)})), "12.3466");
  EXPECT_EQ(value_of(call_of("/", {dec("1.00", 10, 2), dec("3.0000", 5, 4)})), "0.33333333");
  EXPECT_EQ(value_of(call_of("*", {dec("1234567890.0123456789", 38, 10), dec("1000000000.0000000001", 38, 10)})), "1234567890012345679.023457");
  EXPECT_EQ(value_of(call_of("*", {dec("99999999999999999999999999999999999999", 38, 0), dec("10", 38, 0)})), "NULL");
}

TEST_F(ExprTest, ComparesAcrossTypes) {
  EXPECT_EQ(value_of(call_of("=", {i32(1), f64(1.0)})), "true");
  EXPECT_EQ(value_of(call_of("<", {dec("1.50", 5, 2), i32(2)})), "true");
  EXPECT_EQ(value_of(call_of("=", {text("12"), i32(12)})), "true");
  EXPECT_EQ(value_of(call_of("<", {text("abc"), text("abd")})), "true");
  EXPECT_EQ(value_of(call_of("=", {null(), i32(12)})), "NULL");
  EXPECT_EQ(value_of(call_of("IS DISTINCT FROM", {null(), i32(12)})), "true");
  EXPECT_EQ(value_of(call_of("IN", {i32(2), i32(1), null(), i32(2)})), "true");
  EXPECT_EQ(value_of(call_of("IN", {i32(3), i32(1), null()})), "NULL");
  EXPECT_EQ(value_of(call_of("BETWEEN", {i32(3), i32(4), null()})), "false");
  EXPECT_EQ(value_of(call_of("GREATEST", {i32(3), i64(4)})), "4");
}

TEST_F(ExprTest, ThreeValuedLogic) {
  const ExprPtr n = cast(null(), Type::boolean());
  EXPECT_EQ(value_of(call_of("AND", {n, boolean(false)})), "false");
  EXPECT_EQ(value_of(call_of("AND", {n, boolean(true)})), "NULL");
  EXPECT_EQ(value_of(call_of("OR", {n, boolean(true)})), "true");
  EXPECT_EQ(value_of(call_of("NOT", {n})), "NULL");
  EXPECT_EQ(value_of(call_of("IS NOT TRUE", {n})), "true");
}

TEST_F(ExprTest, GuardsKeepErrorsAway) {
  BatchBuilder b(Schema({{"x", Type::integer()}}));
  for (const int v : {0, 1, 2}) {
    b.column(0).append(v);
    b.end_row();
  }
  const BatchPtr batch = b.finish();
  const ExprPtr x = column(0, Type::integer());
  const ExprPtr quotient = call_of("/", {i32(10), x});
  const ExprPtr guarded = call_of("AND", {call_of("<>", {x, i32(0)}), call_of(">", {quotient, i32(5)})});
  std::vector<std::uint32_t> selection;
  ASSERT_TRUE(select_true(*guarded, *batch, {}, selection));
  EXPECT_THAT(selection, ::testing::ElementsAre(1U));
  EXPECT_FALSE(select_true(*call_of(">", {quotient, i32(5)}), *batch, {}, selection));
  const ExprPtr branches = call_of("IF", {call_of("=", {x, i32(0)}), i32(-1), quotient});
  const auto c = evaluate(*branches, *batch, {});
  ASSERT_TRUE(c);
  EXPECT_EQ((*c)->value<std::int32_t>(0), -1);
  EXPECT_EQ((*c)->value<std::int32_t>(2), 5);
}

TEST_F(ExprTest, CastsAsFlink) {
  const auto cast_text = [&](const std::string& s, Type to, bool soft = false) { return value_of(cast(text(s), to, soft)); };
  EXPECT_EQ(cast_text("1.9", Type::integer()), "1");
  EXPECT_EQ(cast_text(" -130 ", Type::small_int()), "-130");
  EXPECT_EQ(cast_text("-130", Type::tiny_int()), "ARITHMETIC: CAST: '-130' is no TINYINT");
  EXPECT_EQ(cast_text("-130", Type::tiny_int(), true), "NULL");
  EXPECT_EQ(cast_text("1.239", Type::decimal(5, 2)), "1.24");
  EXPECT_EQ(cast_text("2013-01-01 05:15:00.1239", Type::timestamp(3)), "2013-01-01 05:15:00.123");
  EXPECT_EQ(cast_text("2013-01-01", Type::timestamp(0)), "2013-01-01 00:00:00");
  EXPECT_EQ(cast_text("hello", Type::string(3)), "hel");
  EXPECT_EQ(cast_text("h", Type::char_(3)), "h  ");
  EXPECT_EQ(cast_text("FalsE", Type::boolean()), "false");
  EXPECT_EQ(value_of(cast(i32(1234567), Type::tiny_int())), "-121");
  EXPECT_EQ(value_of(cast(f64(9234567891.12345), Type::integer())), "2147483647");
  EXPECT_EQ(value_of(cast(f64(-9234567891.5), Type::small_int())), "0");
  EXPECT_EQ(cast_text(".9", Type::integer()), "0");
  EXPECT_EQ(value_of(cast(dec("9123.87", 10, 3), Type::tiny_int())), "-93");
  EXPECT_EQ(value_of(cast(f64(12.678), Type::decimal(5, 3))), "12.678");
  EXPECT_EQ(value_of(cast(boolean(true), Type::string())), "TRUE");
  EXPECT_EQ(value_of(cast(i32(1), Type::boolean())), "true");
  EXPECT_EQ(value_of(cast(dec("123456.78", 10, 2), Type::decimal(4, 2))), "NULL");
}

TEST_F(ExprTest, FoldsConstantsButNotErrors) {
  const ExprPtr folded = fold_constants(call_of("+", {i32(1), call_of("*", {i32(2), i32(3)})}));
  EXPECT_EQ(folded->kind, Expr::Kind::kLiteral);
  EXPECT_EQ(folded->literal.to_string(), "7");
  EXPECT_EQ(fold_constants(call_of("/", {i32(1), i32(0)}))->kind, Expr::Kind::kCall);
}

TEST_F(ExprTest, UnknownFunctionSuggests) {
  const auto r = registry_.resolve("COALESC", std::vector<Type>{Type::string()});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, ErrorCode::kUnknownFunction);
  EXPECT_THAT(r.error().hint, ::testing::HasSubstr("COALESCE"));
  const auto m = registry_.resolve("AND", std::vector<Type>{Type::string(), Type::boolean()});
  ASSERT_FALSE(m);
  EXPECT_EQ(m.error().code, ErrorCode::kTypeMismatch);
}

TEST_F(ExprTest, TextOfExpressions) {
  const std::vector<std::string> names = {"a", "b"};
  const ExprPtr a = column(0, Type::integer());
  EXPECT_EQ(call_of("AND", {call_of(">", {a, i32(1)}), call_of("IS NULL", {a})})->to_string(names), "((a > 1) AND (a IS NULL))");
  EXPECT_EQ(cast(a, Type::string())->to_string(names), "CAST(a AS STRING)");
  const std::vector<std::size_t> mapping = {1};
  EXPECT_EQ(remap_columns(call_of("+", {a, i32(1)}), mapping)->to_string(names), "(b + 1)");
}

}  // namespace
}  // namespace supyo::expr
