#include "cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supyo::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

KnownNames names() {
  return {.tables = [] { return std::vector<std::string>{"orders", "order items", "users"}; },
          .columns =
              [](const std::string& table) {
                if (table == "orders") return std::vector<std::string>{"id", "user_id", "price", "order"};
                if (table == "users") return std::vector<std::string>{"id", "name", "address.city"};
                return std::vector<std::string>{};
              },
          .functions = [] { return std::vector<std::string>{"SUM", "SUBSTRING", "UPPER"}; }};
}
std::vector<std::string> at(std::string_view text, std::string_view rest = {}) { return complete(text, rest, names()).candidates; }

TEST(Completion, BeginsAStatement) {
  EXPECT_THAT(at("SEL"), ElementsAre("SELECT"));
  EXPECT_THAT(at("sel"), ElementsAre("select"));
  EXPECT_THAT(at("SELECT 1; INS"), ElementsAre("INSERT INTO"));
  EXPECT_EQ(complete("SELECT id FR", "", names()).begin, 10U);
}

TEST(Completion, TablesWhereATableStands) {
  EXPECT_THAT(at("SELECT * FROM o"), ElementsAre("`order items`", "orders"));
  EXPECT_THAT(at("SELECT * FROM orders JOIN "), ElementsAre("`order items`", "orders", "users"));
  EXPECT_THAT(at("INSERT INTO US"), ElementsAre("users"));
  EXPECT_THAT(at("DESCRIBE "), Contains("users"));
}

TEST(Completion, ColumnsOfTheTablesThatTheStatementNames) {
  EXPECT_THAT(at("SELECT pr", " FROM orders"), ElementsAre("price", "primary key"));
  EXPECT_THAT(at("SELECT * FROM orders WHERE user"), ElementsAre("user_id"));
  EXPECT_THAT(at("SELECT na"), IsEmpty());
  EXPECT_THAT(at("SELECT o.", " FROM orders AS o"), ElementsAre("`order`", "id", "price", "user_id"));
  EXPECT_THAT(at("SELECT * FROM orders o JOIN users u ON o.user_id = u."), ElementsAre("address.city", "id", "name"));
  EXPECT_THAT(at("SELECT users.na", " FROM users"), ElementsAre("name"));
  EXPECT_THAT(at("SELECT x.", " FROM orders"), IsEmpty());
}

TEST(Completion, Functions) {
  EXPECT_THAT(at("SELECT su"), ElementsAre("SUBSTRING(", "SUM("));
  EXPECT_THAT(at("SELECT "), Not(Contains("SUM(")));
}

TEST(Completion, NothingWithinStringsAndComments) {
  EXPECT_THAT(at("SELECT 'SEL"), IsEmpty());
  EXPECT_THAT(at("SELECT -- SEL"), IsEmpty());
  EXPECT_THAT(at("SELECT /* SEL"), IsEmpty());
  EXPECT_THAT(at("SELECT 'it''s' FR"), ElementsAre("FROM"));
}

}  // namespace
}  // namespace supyo::cli
