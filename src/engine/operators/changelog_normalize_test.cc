#include "engine/operators/changelog_normalize.h"

#include <gmock/gmock.h>

#include <random>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

using ::testing::ElementsAre;

Schema schema() { return Schema({{"name", Type::string()}, {"id", Type::big_int().not_null()}}); }

struct Change {
  std::int64_t id = 0;
  std::optional<std::string> name;   ///< none: deleted
};

BatchPtr batch_of(const std::vector<Change>& changes) {
  BatchBuilder b(schema());
  for (const Change& c : changes) {
    if (c.name) b.column(0).append_text(*c.name);
    else b.column(0).append_null();
    b.column(1).append(c.id);
    b.end_row(c.name ? RowKind::kUpdateAfter : RowKind::kDelete);
  }
  return b.finish();
}

ChangelogNormalizeSpec spec(bool update_before = true) { return {.input = schema(), .keys = {1}, .update_before = update_before}; }

TEST(ChangelogNormalize, TakesBackWhatIsReplaced) {
  OperatorHarness h(make_changelog_normalize(spec()));
  h.feed(batch_of({{1, "a"}, {2, "b"}, {1, "c"}}));
  EXPECT_THAT(h.rows, ElementsAre("+I a|1", "+I b|2", "-U a|1", "+U c|1"));
  h.rows.clear();
  h.feed(batch_of({{1, "c"}, {2, std::nullopt}, {3, std::nullopt}}));
  EXPECT_THAT(h.rows, ElementsAre("-D b|2")) << "an equal row and a delete of nothing change nothing";
}

TEST(ChangelogNormalize, AKeyMayGoAndComeBackInOneBatch) {
  OperatorHarness h(make_changelog_normalize(spec(false)));
  h.feed(batch_of({{1, "a"}, {1, std::nullopt}, {1, "b"}, {1, "c"}, {2, "x"}, {2, std::nullopt}, {2, std::nullopt}}));
  EXPECT_THAT(h.rows, ElementsAre("+I a|1", "-D a|1", "+I b|1", "+U c|1", "+I x|2", "-D x|2"));
}

TEST(ChangelogNormalize, AChangeMetTheWatermarkOfTheRowThatBroughtIt) {
  OperatorHarness h(make_changelog_normalize(spec()));
  auto batch = std::make_shared<Batch>(*batch_of({{1, "a"}, {1, "a"}, {1, "b"}}));
  batch->edge_watermarks = {5, 6, 7};
  h.feed(batch);
  EXPECT_THAT(h.rows, ElementsAre("+I a|1", "-U a|1", "+U b|1"));
  EXPECT_THAT(h.batches.at(0)->edge_watermarks, ElementsAre(5, 7, 7));
}

TEST(ChangelogNormalize, WhatItEmitsIsWhatIsThereWhateverTheEpochs) {
  std::mt19937 random(3);
  OperatorHarness::Stored stored;
  std::map<std::int64_t, std::string> truth, seen;
  for (int epoch = 0; epoch < 40; ++epoch) {
    OperatorHarness h(make_changelog_normalize(spec()));   // every epoch ends with a restart
    h.restore(stored, kTimeMin);
    for (int b = 0; b < 5; ++b) {
      std::vector<Change> changes;
      for (int i = 0; i < 30; ++i) {
        Change c{.id = static_cast<std::int64_t>(random() % 20), .name = std::nullopt};
        if (random() % 3 != 0) c.name = std::string(1, static_cast<char>('a' + random() % 4));
        if (c.name) truth[c.id] = *c.name;
        else truth.erase(c.id);
        changes.push_back(std::move(c));
      }
      h.feed(batch_of(changes));
    }
    for (const std::string& row : h.rows) {
      const std::string kind = row.substr(0, 2), name = row.substr(3, row.find('|') - 3);
      const std::int64_t id = std::stoll(row.substr(row.find('|') + 1));
      if (kind == "+I") ASSERT_TRUE(seen.emplace(id, name).second) << row;
      else if (kind == "+U") seen[id] = name;
      else ASSERT_EQ(seen.at(id), name) << row;
      if (kind == "-D") seen.erase(id);
    }
    EXPECT_EQ(seen, truth);
    h.cut(stored);
    EXPECT_EQ(stored.size(), truth.size()) << "deleted keys leave nothing behind";
  }
}

}  // namespace
}  // namespace supyo::operators
