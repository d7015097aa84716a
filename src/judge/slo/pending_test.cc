#include "judge/slo/pending.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace supyo::slo {
namespace {

using Row = std::pair<TimeUs, TimeUs>;

/// The same by looking at every record at every cut.
struct Naive {
  struct Kept {
    Epoch epoch;
    Row row;
  };
  std::vector<Kept> kept;
  std::vector<Row> finish(Epoch upto, TimeUs watermark) {
    std::vector<Row> out;
    std::erase_if(kept, [&](const Kept& k) {
      if (k.epoch > upto || k.row.first > watermark) return false;
      out.push_back(k.row);
      return true;
    });
    std::ranges::sort(out);
    return out;
  }
  std::uint64_t at_or_before(TimeUs t, bool produce) const {
    return static_cast<std::uint64_t>(std::ranges::count_if(kept, [&](const Kept& k) { return (produce ? k.row.second : k.row.first) <= t; }));
  }
};

std::vector<Row> finished(PendingRecords& p, Epoch upto, TimeUs watermark) {
  std::vector<Row> out;
  p.finish(upto, true, watermark, [&](const PendingRecords::Chunk& chunk, const PendingRecords::Rows& rows) {
    EXPECT_GT(rows.records, 0U);
    for (std::size_t i = 0; i < rows.event_us.size(); ++i) {
      EXPECT_GE(rows.event_us[i], chunk.min_event_us);
      EXPECT_LE(rows.produce_us[i], chunk.max_produce_us);
      for (std::uint32_t k = 0; k < rows.count_at(i); ++k) out.emplace_back(rows.event_us[i], rows.produce_us[i]);
    }
  });
  std::ranges::sort(out);
  return out;
}

/// What comes back after a save, as if nothing were known but that.
std::vector<Row> saved(PendingRecords& p, Epoch upto) {
  std::string bytes;
  ByteWriter w(bytes);
  p.save(w, upto);
  ByteReader r(bytes);
  PendingRecords other;
  EXPECT_TRUE(other.restore(r));
  EXPECT_TRUE(r.done());
  return finished(other, upto, kTimeMax);
}

TimeUs down(TimeUs t) { return t - ((t % PendingRecords::kFoldUs) + PendingRecords::kFoldUs) % PendingRecords::kFoldUs; }

constexpr std::int64_t kEpochs = 22;

struct Held {
  const char* name;
  std::size_t rows_of_batch;
  DurationUs disorder_us;    ///< of event times
  DurationUs watermark_us;   ///< how far it moves from cut to cut, at most
};

class PendingHeld : public testing::TestWithParam<Held> {};

TEST_P(PendingHeld, IsWhatLookingAtEveryRecordFinds) {
  const Held& how = GetParam();
  for (unsigned seed = 1; seed <= 2; ++seed) {
    std::mt19937_64 rng(seed);
    const auto up_to = [&](DurationUs most) { return static_cast<DurationUs>(rng() % static_cast<std::uint64_t>(most + 1)); };
    PendingRecords p;
    Naive naive;
    TimeUs now = -3 * kSecond, watermark = now - how.disorder_us;   // times before 1970 are times, too
    std::size_t most_kept = 0;
    for (std::int64_t epoch = 1; epoch <= kEpochs; ++epoch) {
      for (std::uint32_t batch = 0; batch < 3; ++batch) {
        now += up_to(60 * kMillisecond);
        std::vector<TimeUs> event, produce;
        for (std::size_t i = rng() % (how.rows_of_batch + 1); i > 0; --i) {
          produce.push_back(now - up_to(50 * kMillisecond));
          event.push_back(produce.back() - up_to(how.disorder_us) + (rng() % 100 == 0 ? kSecond : 0));
          naive.kept.push_back({Epoch{epoch}, {event.back(), produce.back()}});
        }
        p.add(Epoch{epoch}, static_cast<std::uint32_t>(rng() % 2), event, produce, now);
      }
      p.cut(Epoch{epoch}, now);
      if (rng() % 2 == 0) {
        // Many are kept as cells, few one by one; either way what was finished is not among them.
        std::vector<Row> want;
        for (const auto& k : naive.kept) want.push_back(k.row);
        if (naive.kept.size() > 20'000) for (Row& r : want) r = {down(r.first), down(r.second)};
        std::ranges::sort(want);
        most_kept = std::max(most_kept, want.size());
        ASSERT_EQ(saved(p, Epoch{epoch}), want);
      }
      watermark += up_to(how.watermark_us);
      const Epoch upto{epoch - static_cast<std::int64_t>(rng() % 2)};
      ASSERT_EQ(finished(p, upto, watermark), naive.finish(upto, watermark));
      ASSERT_EQ(p.records(), naive.kept.size());
      for (const DurationUs back : {DurationUs{0}, how.disorder_us / 2, how.disorder_us, 2 * how.disorder_us}) {
        ASSERT_EQ(p.at_or_before(now - back, false), naive.at_or_before(now - back, false));
        ASSERT_EQ(p.at_or_before(now - back, true), naive.at_or_before(now - back, true));
      }
    }
    ASSERT_EQ(finished(p, Epoch{kEpochs}, kTimeMax), naive.finish(Epoch{kEpochs}, kTimeMax));
    if (how.rows_of_batch >= 1000) EXPECT_GT(most_kept, 20'000U) << "cells were tried";
    EXPECT_EQ(p.records(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Pending, PendingHeld,
                         testing::Values(Held{"few_rows", 5, kSecond, 100 * kMillisecond}, Held{"many_rows", 2000, kSecond, 100 * kMillisecond}, Held{"slow_watermark", 400, kSecond, 3 * kMillisecond},
                                         Held{"in_order", 400, 0, 100 * kMillisecond}, Held{"over_days", 1200, 40 * 86'400 * kSecond, 86'400 * kSecond}),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace supyo::slo
