#include "engine/operators/window_rank.h"

#include <gmock/gmock.h>

#include <random>

#include "data/types/builder.h"
#include "engine/operators/operator_harness.h"

namespace supyo::operators {
namespace {

constexpr DurationUs kSize = 50 * kMillisecond;

struct Row {
  std::int64_t id = 0;
  TimeUs start = 0;
  std::string key;
  std::optional<std::int64_t> price;
  TimeUs edge = kTimeMin;
};

Schema input_schema() {
  return Schema({{"id", Type::big_int()}, {"window_start", Type::timestamp(3).not_null()}, {"window_end", Type::timestamp(3).not_null()}, {"k", Type::string()}, {"price", Type::big_int()}});
}

std::vector<Row> random_rows(std::uint32_t seed, std::size_t n) {
  std::mt19937 random(seed);
  std::vector<Row> rows;
  TimeUs newest = kTimeMin, clock = 0;
  for (std::size_t i = 0; i < n; ++i) {
    clock += random() % 8 * kMillisecond;
    const TimeUs time = std::max<TimeUs>(0, clock - static_cast<TimeUs>(random() % 120) * kMillisecond);
    Row r{.id = static_cast<std::int64_t>(i), .start = time / kSize * kSize, .key = std::string(1, static_cast<char>('a' + random() % 3)), .price = {}};
    if (random() % 8 != 0) r.price = static_cast<std::int64_t>(random() % 9);
    r.edge = newest == kTimeMin ? kTimeMin : newest - 60 * kMillisecond;
    newest = std::max(newest, time);
    rows.push_back(std::move(r));
  }
  return rows;
}

BatchPtr batch_of(std::span<const Row> rows) {
  BatchBuilder b(input_schema());
  for (const Row& r : rows) {
    b.column(0).append(r.id);
    b.column(1).append(r.start);
    b.column(2).append(r.start + kSize);
    b.column(3).append_text(r.key);
    if (r.price) b.column(4).append(*r.price); else b.column(4).append_null();
    b.end_row(RowKind::kInsert, Origin{r.start, r.id, r.id});
  }
  auto batch = std::make_shared<Batch>(*b.finish());
  for (const Row& r : rows) batch->edge_watermarks.push_back(r.edge);
  return batch;
}

WindowRankSpec spec_of(std::uint64_t limit) {
  return {.input = input_schema(), .start_column = 1, .end_column = 2, .zone = Zone::fixed(0), .partition = {1, 2, 3}, .order = {{.column = 4, .descending = true, .nulls_first = false}},
          .limit = limit, .with_number = true, .origins = true};
}

std::vector<std::string> brute_force(std::vector<Row> rows, std::size_t limit, std::size_t& late) {
  late = std::erase_if(rows, [](const Row& r) { return r.edge >= r.start + kSize - kMillisecond; });
  std::map<std::pair<TimeUs, std::string>, std::vector<Row>> windows;
  for (const Row& r : rows) windows[{r.start, r.key}].push_back(r);
  std::vector<std::string> out;
  for (auto& [window, in] : windows) {
    std::ranges::stable_sort(in, [](const Row& a, const Row& b) { return a.price.value_or(-1) > b.price.value_or(-1); });
    for (std::size_t i = 0; i < std::min(limit, in.size()); ++i)
      out.push_back(fmt::format("+I {}|{}|{}|{}|{}|{}", in[i].id, format_timestamp(in[i].start, 3), format_timestamp(in[i].start + kSize, 3), in[i].key, in[i].price ? std::to_string(*in[i].price) : "NULL", i + 1));
  }
  std::ranges::sort(out);
  return out;
}

TEST(WindowRankTest, EqualsBruteForceAtEveryBatchSizeAndAfterRestore) {
  for (const std::uint64_t limit : {std::uint64_t{1}, std::uint64_t{4}}) {
    const std::vector<Row> rows = random_rows(static_cast<std::uint32_t>(limit), 2000);
    std::size_t late = 0;
    const std::vector<std::string> expected = brute_force(rows, limit, late);
    ASSERT_GT(late, 10U);
    for (const std::size_t batch_rows : {std::size_t{1}, std::size_t{7}, std::size_t{512}}) {
      auto h = std::make_unique<OperatorHarness>(make_window_rank(spec_of(limit)));
      std::vector<std::string> out;
      std::size_t seen_late = 0;
      OperatorHarness::Stored stored;
      for (std::size_t from = 0, number = 1; from < rows.size(); from += batch_rows, ++number) {
        const std::size_t n = std::min(batch_rows, rows.size() - from);
        h->feed(batch_of(std::span(rows).subspan(from, n)));
        if (from + n < rows.size()) h->watermark(rows[from + n].edge);
        if (number % 3 == 0) h->cut(stored);
        if (number % 60 != 0) continue;
        h->cut(stored);
        out.insert(out.end(), h->rows.begin(), h->rows.end());
        seen_late += h->late.size();
        const TimeUs w = h->watermark_us();
        h = std::make_unique<OperatorHarness>(make_window_rank(spec_of(limit)));
        h->restore(stored, w);
      }
      h->watermark(kTimeMax);
      out.insert(out.end(), h->rows.begin(), h->rows.end());
      std::ranges::sort(out);
      EXPECT_EQ(out, expected) << limit << " " << batch_rows;
      EXPECT_EQ(seen_late + h->late.size(), late);
      EXPECT_EQ(h->state().entries(), 0U);
    }
  }
}

TEST(WindowRankTest, RefusesUpdates) {
  OperatorHarness h(make_window_rank(spec_of(1)));
  const Row r{.id = 9, .start = 0, .key = "a", .price = 1};
  auto batch = std::make_shared<Batch>(*batch_of({&r, 1}));
  batch->kinds = {RowKind::kDelete};
  EXPECT_EQ(h.try_feed(batch).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace supyo::operators
