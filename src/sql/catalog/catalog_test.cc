#include "sql/catalog/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supyo::catalog {
namespace {

using Kind = OptionSpec::Kind;

/// An external catalog that keeps names in memory.
class FakeCatalog final : public ExternalCatalog {
 public:
  Result<std::vector<std::string>> databases() override {
    std::vector<std::string> out;
    for (const auto& [name, tables] : databases_) out.push_back(name);
    return out;
  }
  Status create_database(const std::string& name, bool if_not_exists) override {
    if (databases_.contains(name) && !if_not_exists) return fail(ErrorCode::kAlreadyExists, "exists");
    databases_[name];
    return ok();
  }
  Status drop_database(const std::string& name, bool) override {
    databases_.erase(name);
    return ok();
  }
  Result<std::vector<std::string>> tables(const std::string& database) override {
    std::vector<std::string> out;
    for (const auto& [name, table] : databases_[database]) out.push_back(name);
    return out;
  }
  Result<TableDefinition> table(const ObjectPath& path) override {
    const auto& tables = databases_[path.database];
    const auto it = tables.find(path.name);
    if (it == tables.end()) return fail(ErrorCode::kUnknownTable, "no such table");
    return it->second;
  }
  Status create_table(const TableDefinition& table, bool) override {
    databases_[table.path.database][table.path.name] = table;
    return ok();
  }
  Status drop_table(const ObjectPath& path, bool) override {
    databases_[path.database].erase(path.name);
    return ok();
  }

 private:
  std::map<std::string, std::map<std::string, TableDefinition>> databases_;
};

ConnectorDescriptor kafka() {
  return {.name = "kafka",
          .options = {{"topic", Kind::kText, true, "", {}, "the topic"},
                      {"properties.*", Kind::kText},
                      {"fields.*.kind", Kind::kEnum, false, "random", {"random", "sequence"}, ""},
                      {"rows", Kind::kInteger, false, "7"},
                      {"rate", Kind::kDouble},
                      {"wait", Kind::kDuration, false, "5s"},
                      {"size", Kind::kBytes, false, "64kb"},
                      {"on", Kind::kBoolean, false, "true"}},
          .needs_format = true,
          .metadata = {},
          .help = {}};
}

class CatalogTest : public ::testing::Test {
 protected:
  CatalogTest() {
    connectors_.add(kafka());
    connectors_.add_format("json", {{"json.strict", Kind::kBoolean, false, "false"}});
  }
  static ExternalCatalogFactory fake() {
    return [](const std::string&, const Options& o, const std::string&) -> Result<std::unique_ptr<ExternalCatalog>> {
      if (!o.contains("warehouse")) return fail(ErrorCode::kMissingOption, "CREATE CATALOG needs 'warehouse'");
      return std::make_unique<FakeCatalog>();
    };
  }
  static TableDefinition table(ObjectPath path, bool temporary = false) {
    TableDefinition t;
    t.path = std::move(path);
    t.temporary = temporary;
    t.columns.push_back({.name = temporary ? "temporary" : "permanent", .type = Type::integer(), .expression_sql = {}, .metadata_key = {}, .comment = {}});
    return t;
  }
  ObjectPath path(std::vector<std::string> parts) { return *catalog_.resolve(parts); }
  std::string first_column(const ObjectPath& p) {
    const auto found = catalog_.find(p);
    return found ? std::get<TableDefinition>(*found).columns.front().name : found.error().message;
  }

  ConnectorRegistry connectors_;
  Catalog catalog_{connectors_, {{"fake", fake()}}, "/base"};
};

TEST_F(CatalogTest, NamesAreCompletedFromTheCurrentPlace) {
  EXPECT_EQ(path({"t"}).to_string(), "default_catalog.default_database.t");
  EXPECT_EQ(path({"d", "t"}).to_string(), "default_catalog.d.t");
  EXPECT_EQ(path({"c", "d", "t"}).to_string(), "c.d.t");
  EXPECT_EQ(catalog_.resolve(std::vector<std::string>{"a", "b", "c", "d"}).error().code, ErrorCode::kInvalidQuery);
}

TEST_F(CatalogTest, TemporaryTablesHideAndComeBack) {
  ASSERT_TRUE(catalog_.create_table(table(path({"t"})), false));
  ASSERT_TRUE(catalog_.create_table(table(path({"t"}), true), false));
  EXPECT_EQ(first_column(path({"t"})), "temporary");
  EXPECT_EQ(catalog_.drop_table(path({"t"}), false, false).error().code, ErrorCode::kInvalidQuery) << "the hidden one cannot be dropped";
  EXPECT_EQ(catalog_.create_table(table(path({"t"}), true), false).error().code, ErrorCode::kAlreadyExists);
  ASSERT_TRUE(catalog_.drop_table(path({"t"}), false, true));
  EXPECT_EQ(first_column(path({"t"})), "permanent");
  EXPECT_EQ(*catalog_.create_table(table(path({"t"})), true), false);
}

TEST_F(CatalogTest, ExternalCatalogs) {
  EXPECT_EQ(catalog_.create_catalog("lake", {{"type", "fake"}}, false).error().code, ErrorCode::kMissingOption);
  ASSERT_TRUE(catalog_.create_catalog("lake", {{"type", "fake"}, {"warehouse", "w"}}, false));
  EXPECT_EQ(catalog_.create_catalog("lake", {}, false).error().code, ErrorCode::kAlreadyExists);
  ASSERT_TRUE(catalog_.create_catalog("lake", {}, true));
  const std::vector<std::string> shop = {"lake", "shop"};
  ASSERT_TRUE(catalog_.create_database(shop, false));
  ASSERT_TRUE(catalog_.create_table(table(path({"lake", "shop", "t"})), false));
  EXPECT_EQ(first_column(path({"lake", "shop", "t"})), "permanent");
  EXPECT_THAT(*catalog_.tables("lake", "shop"), ::testing::ElementsAre("t"));
  EXPECT_EQ(catalog_.find(path({"lake", "shop", "tt"})).error().hint, "there are: t");
  EXPECT_EQ(catalog_.drop_database(shop, false, false).error().code, ErrorCode::kInvalidQuery);
  ASSERT_TRUE(catalog_.use_database(shop));
  EXPECT_EQ(path({"t"}).to_string(), "lake.shop.t");
  EXPECT_EQ(catalog_.drop_catalog("lake", false).error().code, ErrorCode::kInvalidQuery) << "it is in use";
  ASSERT_TRUE(catalog_.use_catalog("default_catalog"));
  ASSERT_TRUE(catalog_.drop_database(shop, false, true));
  ASSERT_TRUE(catalog_.drop_catalog("lake", false));
  EXPECT_EQ(catalog_.use_catalog("lake").error().code, ErrorCode::kUnknownTable);
}

TEST_F(CatalogTest, OptionsAreCheckedByKind) {
  const auto problem = [&](Options o, bool complete = true) -> std::string {
    o["connector"] = "kafka";
    const auto p = find_option_problem(o, connectors_, complete);
    return p ? fmt::format("{} {}{}", error_name(p->error.code), p->key, p->at_value ? "=" : "") : "";
  };
  const Options good = {{"topic", "t"}, {"format", "json"}};
  const auto with = [&](const std::string& key, const std::string& value) {
    Options o = good;
    o[key] = value;
    return problem(std::move(o));
  };
  EXPECT_EQ(problem(good), "");
  EXPECT_EQ(problem({{"format", "json"}}), "MISSING_OPTION ");
  EXPECT_EQ(problem({{"topic", "t"}}), "MISSING_OPTION ");
  EXPECT_EQ(problem({}, false), "");
  EXPECT_EQ(with("format", "xml"), "BAD_OPTION_VALUE format=");
  EXPECT_EQ(with("properties.group.id", "g"), "");
  EXPECT_EQ(with("properties.", "g"), "UNKNOWN_OPTION properties.");
  EXPECT_EQ(with("fields.a.kind", "sequence"), "");
  EXPECT_EQ(with("fields.a.kind", "other"), "BAD_OPTION_VALUE fields.a.kind=");
  EXPECT_EQ(with("json.strict", "TRUE"), "");
  EXPECT_EQ(with("json.strict", "yes"), "BAD_OPTION_VALUE json.strict=");
  EXPECT_EQ(with("csv.strict", "true"), "UNKNOWN_OPTION csv.strict");
  EXPECT_EQ(with("rows", "12"), "");
  EXPECT_EQ(with("rows", "12x"), "BAD_OPTION_VALUE rows=");
  EXPECT_EQ(with("rate", "0.5"), "");
  EXPECT_EQ(with("rate", "half"), "BAD_OPTION_VALUE rate=");
  EXPECT_EQ(with("wait", "10 min"), "");
  EXPECT_EQ(with("wait", "10"), "BAD_OPTION_VALUE wait=");
  EXPECT_EQ(with("size", "1 gb"), "");
  EXPECT_EQ(with("size", "1 elephant"), "BAD_OPTION_VALUE size=");
  EXPECT_EQ(with("scan.watermark.idle-timeout", "3s"), "");
  Options unknown = {{"connector", "kafak"}};
  EXPECT_EQ(find_option_problem(unknown, connectors_, true)->error.code, ErrorCode::kUnknownConnector);
}

TEST_F(CatalogTest, TypedAccessGivesTheDefault) {
  const ConnectorDescriptor c = kafka();
  EXPECT_EQ(option_integer({}, c, "rows"), 7);
  EXPECT_EQ(option_integer({}, c, "size"), 65536);
  EXPECT_EQ(option_integer({{"size", "2 mb"}}, c, "size"), 2 << 20);
  EXPECT_EQ(option_duration({}, c, "wait"), 5 * kSecond);
  EXPECT_TRUE(option_boolean({}, c, "on"));
  EXPECT_FALSE(option_boolean({{"on", "False"}}, c, "on"));
  EXPECT_EQ(option_text({{"topic", "x"}}, c, "topic"), "x");
}

}  // namespace
}  // namespace supyo::catalog
