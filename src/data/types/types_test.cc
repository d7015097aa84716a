#include <gtest/gtest.h>

#include "data/types/batch.h"
#include "data/types/builder.h"
#include "data/types/changelog.h"
#include "data/types/type.h"

namespace supyo {
namespace {

TEST(Type, FlinksSpelling) {
  EXPECT_EQ(Type::big_int().to_string(), "BIGINT");
  EXPECT_EQ(Type::integer().to_string(), "INT");
  EXPECT_EQ(Type::decimal(10, 2).not_null().to_string(), "DECIMAL(10, 2) NOT NULL");
  EXPECT_EQ(Type::string().to_string(), "STRING");
  EXPECT_EQ(Type::string(20).to_string(), "VARCHAR(20)");
  EXPECT_EQ(Type::char_(3).to_string(), "CHAR(3)");
  EXPECT_EQ(Type::bytes().to_string(), "BYTES");
  EXPECT_EQ(Type::timestamp(3).to_string(), "TIMESTAMP(3)");
  EXPECT_EQ(Type::timestamp_ltz().to_string(), "TIMESTAMP_LTZ(6)");
  EXPECT_EQ(Type::time().to_string(), "TIME(0)");
  EXPECT_EQ(Type::null().to_string(), "NULL");
  Schema schema;
  schema.add("a", Type::big_int());
  schema.add("od`d", Type::string().not_null());
  EXPECT_EQ(schema.to_string(), "(`a` BIGINT, `od``d` STRING NOT NULL)");
  EXPECT_EQ(schema.find("od`d"), 1U);
  EXPECT_EQ(schema.find("A"), std::nullopt);
}

}  // namespace
}  // namespace supyo
