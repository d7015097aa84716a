#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "sql/plan/planner.h"
#include "sql/syntax/parser.h"

namespace supyo::plan {

/// A session over made-up connectors: 'kafka' (source and append sink with metadata), 'stored' (bounded source, append sink), 'print' (takes all),
/// 'upserts' (upsert source), 'keyed' (upsert sink), 'datagen' (source only).
inline const catalog::ConnectorRegistry& test_connectors() {
  static const catalog::ConnectorRegistry registry = [] {
    using catalog::OptionSpec;
    using Kind = OptionSpec::Kind;
    catalog::ConnectorRegistry r;
    r.add_format("json", {{"json.ignore-parse-errors", Kind::kBoolean, false, "false", {}, "skip bad records"}});
    r.add_format("csv", {});
    r.add({.name = "kafka",
           .options = {{"topic", Kind::kText, true, "", {}, "the topic"},
                       {"properties.*", Kind::kText, false, "", {}, "client settings"},
                       {"scan.startup.mode", Kind::kEnum, false, "earliest-offset", {"earliest-offset", "latest-offset"}, "where to start"},
                       {"sink.delivery-guarantee", Kind::kEnum, false, "exactly-once", {"exactly-once", "at-least-once", "none"}, "what to promise"}},
           .source = true, .sink = true, .needs_format = true, .accepts = ChangelogMode::kAppend, .guarantee = DeliveryGuarantee::kExactlyOnce,
           .metadata = {{"timestamp", Type::timestamp_ltz(3).not_null()}, {"offset", Type::big_int().not_null()}}, .help = {}});
    r.add({.name = "stored", .options = {}, .source = true, .sink = true, .accepts = ChangelogMode::kAppend, .guarantee = DeliveryGuarantee::kExactlyOnce, .metadata = {}, .help = {}});
    r.add({.name = "datagen", .options = {{"rows-per-second", Kind::kInteger, false, "10000", {}, "speed"}, {"fields.*.kind", Kind::kText, false, "random", {}, "how"}},
           .source = true, .rows = true, .metadata = {}, .help = {}});
    r.add({.name = "print", .options = {}, .sink = true, .accepts = ChangelogMode::kRetract,
           .guarantee = DeliveryGuarantee::kAtLeastOnce, .metadata = {}, .help = {}});
    r.add({.name = "upserts", .options = {}, .source = true, .produces = ChangelogMode::kUpsert, .metadata = {}, .help = {}});
    r.add({.name = "keyed", .options = {}, .sink = true, .accepts = ChangelogMode::kUpsert, .guarantee = DeliveryGuarantee::kEffectivelyOnce, .metadata = {}, .help = {}});
    return r;
  }();
  return registry;
}

class TestSession {
 public:
  explicit TestSession(bool rules = true, PlannerOptions options = {})
      : catalog_(test_connectors(), {}, "/base"), planner_(catalog_, functions_, settings_, with(std::move(options), rules)) {}

  /// Carries out a script; the outcome of its last statement, or the first error. INSERTs before the last are forgotten.
  Result<Outcome> run(std::string_view sql) {
    SUPYO_ASSIGN(const auto statements, syntax::parse_script(sql));
    Result<Outcome> last = Outcome(Done{});
    for (const auto& s : statements) {
      last = planner_.execute(s);
      if (!last) return last;
    }
    return last;
  }
  Result<PhysicalPlan> plan(std::string_view sql) {
    SUPYO_ASSIGN(const Outcome outcome, run(sql));
    if (!std::holds_alternative<Job>(outcome)) return fail(ErrorCode::kInternal, "not a job");
    return planner_.plan(std::get<Job>(outcome));
  }
  /// EXPLAIN's text, or the error.
  std::string explain(std::string_view sql) {
    const auto p = plan(sql);
    return p ? explain_text(*p) : p.error().to_string();
  }
  /// Rows of a SHOW or DESCRIBE, columns by " | ".
  std::string listing(std::string_view sql) {
    const auto outcome = run(sql);
    if (!outcome) return outcome.error().to_string();
    if (!std::holds_alternative<Listing>(*outcome)) return "not a listing";
    std::string text;
    for (const auto& row : std::get<Listing>(*outcome).rows) {
      for (std::size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : " | ") + row[i].to_string();
      text += "\n";
    }
    return text;
  }
  catalog::Catalog& catalog() { return catalog_; }
  config::Settings& settings() { return settings_; }
  Planner& planner() { return planner_; }

 private:
  static PlannerOptions with(PlannerOptions o, bool rules) {
    o.rules = rules;
    return o;
  }
  expr::FunctionRegistry functions_;
  config::Settings settings_;
  catalog::Catalog catalog_;
  Planner planner_;
};

/// Tables that most tests read and write.
inline constexpr std::string_view kTables = R"(
CREATE TABLE bids (
  auction BIGINT NOT NULL, bidder BIGINT, price BIGINT, channel STRING, url STRING, ts TIMESTAMP(3), extra STRING,
  WATERMARK FOR ts AS ts - INTERVAL '4' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'bids', 'format' = 'json');
CREATE TABLE plain (id INT, name STRING, amount DECIMAL(10, 2), flag BOOLEAN) WITH ('connector' = 'stored');
CREATE TABLE printed (k BIGINT, n BIGINT) WITH ('connector' = 'print');
CREATE TABLE appended (k BIGINT, n BIGINT) WITH ('connector' = 'stored');
CREATE TABLE keyed (k BIGINT, n BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'keyed');
)";

/// A session with the tables above.
class PlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto ready = session_.run(kTables);
    ASSERT_TRUE(ready) << ready.error().to_string();
  }
  PhysicalPlan plan(std::string_view sql) {
    auto p = session_.plan(sql);
    EXPECT_TRUE(p) << p.error().to_string();
    return p ? *std::move(p) : PhysicalPlan{};
  }
  template <class T>
  static const PhysicalNode& only(const PhysicalPlan& p) {
    const PhysicalNode* found = nullptr;
    for (const PhysicalNode& n : p.nodes) {
      if (!n.as<T>()) continue;
      EXPECT_EQ(found, nullptr);
      found = &n;
    }
    EXPECT_NE(found, nullptr) << explain_text(p);
    return *found;
  }
  static std::string columns(const PhysicalNode& n) { return n.output.to_string(); }
  TestSession session_;
};

}  // namespace supyo::plan
