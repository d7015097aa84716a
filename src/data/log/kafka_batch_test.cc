#include "data/log/kafka_batch.h"

#include <gtest/gtest.h>

#include "core/env/sim/sim_env.h"
#include "data/log/frame.h"
#include "data/log/kafka_test_util.h"

namespace supyo::log {
namespace {

using namespace testing_util;

constexpr KafkaCompression kCodecs[] = {KafkaCompression::kNone, KafkaCompression::kGzip, KafkaCompression::kSnappy, KafkaCompression::kLz4, KafkaCompression::kZstd};

std::string from_hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return out;
}

std::vector<KafkaRecord> records_of(std::string_view batch, std::string& scratch) {
  KafkaBatchHeader h;
  EXPECT_EQ(check_kafka_batch(batch, h), KafkaBatchProblem::kNone);
  auto walk = KafkaRecords::open(batch, h, scratch).value();
  std::vector<KafkaRecord> all;
  KafkaRecord r;
  while (walk.next(r).value()) all.push_back(r);
  return all;
}

TEST(KafkaBatch, EveryCodecGivesBackWhatWentIn) {
  const std::string headers = encode_kafka_headers({{"trace", "17"}, {"empty", std::nullopt}});
  const std::string big(100'000, 'v');
  for (const KafkaCompression codec : kCodecs) {
    const std::string batch = make_batch({{"k", "v", 1000}, {std::nullopt, big, 900}, {"gone", std::nullopt, 1200, headers}}, {.id = 7, .epoch = 3, .sequence = 41, .transactional = true}, codec);
    KafkaBatchHeader h;
    ASSERT_EQ(check_kafka_batch(batch, h), KafkaBatchProblem::kNone);
    EXPECT_EQ(h.bytes(), batch.size());
    EXPECT_EQ(h.max_timestamp_ms, 1200);
    EXPECT_EQ(h.last_sequence(), 43);
    EXPECT_TRUE(h.transactional());
    std::string scratch;
    const auto all = records_of(batch, scratch);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].key, "k");
    EXPECT_EQ(all[1].key, std::nullopt);
    EXPECT_EQ(all[1].value, big);
    EXPECT_EQ(all[1].timestamp_ms, 900);
    EXPECT_EQ(all[2].value, std::nullopt);
    EXPECT_EQ(all[2].offset_delta, 2);
    const auto decoded = decode_kafka_headers(all[2].headers);
    ASSERT_EQ(decoded.size(), 2U);
    EXPECT_EQ(decoded[0].name, "trace");
    EXPECT_EQ(decoded[1].value, std::nullopt);
  }
}

// The layout by hand, from the protocol's description: one record, key "a", value "b", at offset 5.
TEST(KafkaBatch, LaidOutAsTheProtocolSays) {
  const std::string batch = make_batch({{"a", "b", 0x0102030405}});
  const std::string expected = from_hex("0000000000000000" "0000003a" "00000000" "02") + batch.substr(17, 4) +
                               from_hex("0000" "00000000" "0000000102030405" "0000000102030405" "ffffffffffffffff" "ffff" "ffffffff" "00000001"
                                        "10" "00" "00" "00" "02" "61" "02" "62" "00");
  EXPECT_EQ(batch, expected);
  std::string patched = batch;
  patch_kafka_batch(patched.data(), 5, 9);
  KafkaBatchHeader h;
  EXPECT_EQ(check_kafka_batch(patched, h), KafkaBatchProblem::kNone);   // outside the checksum
  EXPECT_EQ(h.base_offset, 5);
  EXPECT_EQ(h.leader_epoch, 9);
}

TEST(KafkaBatch, EveryFlippedBitBehindTheEpochIsSeen) {
  const std::string batch = make_batch({{"key", "value"}});
  KafkaBatchHeader h;
  for (std::size_t bit = 16 * 8; bit < batch.size() * 8; ++bit) {
    std::string bad = batch;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(check_kafka_batch(bad, h), KafkaBatchProblem::kNone) << bit;
  }
  for (std::size_t n = 0; n < batch.size(); ++n) EXPECT_NE(check_kafka_batch(batch.substr(0, n), h), KafkaBatchProblem::kNone);
  std::string old = batch;
  old[16] = 1;
  EXPECT_EQ(check_kafka_batch(old, h), KafkaBatchProblem::kUnsupportedMagic);
}

TEST(KafkaBatch, LogAppendTimeReplacesTheRecordsTimes) {
  std::string batch = make_batch({{"a", "b", 5}, {"c", "d", 6}});
  stamp_kafka_append_time(batch, 777);
  std::string scratch;
  for (const KafkaRecord& r : records_of(batch, scratch)) EXPECT_EQ(r.timestamp_ms, 777);
}

TEST(KafkaBatch, ABombIsAnErrorAndCostsNoMemory) {
  const std::string zeros(8 << 20, '\0');
  for (const KafkaCompression codec : kCodecs) {
    std::string small;
    ASSERT_TRUE(kafka_compress(codec, zeros, small));
    std::string out;
    EXPECT_TRUE(kafka_decompress(codec, small, out, zeros.size()));
    EXPECT_EQ(out, zeros);
    std::string bounded;
    const auto bomb = kafka_decompress(codec, small, bounded, 1 << 20);
    ASSERT_FALSE(bomb);
    EXPECT_EQ(bomb.error().code, ErrorCode::kMalformedRecord);
    EXPECT_LE(bounded.size(), (1U << 20) + 1);
  }
}

TEST(KafkaBatch, SnappyComesInTwoFramings) {
  const std::string text(70'000, 'x');
  std::string framed;
  ASSERT_TRUE(kafka_compress(KafkaCompression::kSnappy, text, framed));
  EXPECT_TRUE(framed.starts_with("\x82SNAPPY"));
  std::string out;
  ASSERT_TRUE(kafka_decompress(KafkaCompression::kSnappy, framed, out, 1 << 20));
  EXPECT_EQ(out, text);
  const std::string raw = from_hex("0514") + "Wikip" ;   // length 5, a literal of 6 bytes: does not fit
  EXPECT_FALSE(kafka_decompress(KafkaCompression::kSnappy, raw, out, 1 << 20));
  const std::string good = from_hex("0510") + "Wikip";   // literal of 5
  ASSERT_TRUE(kafka_decompress(KafkaCompression::kSnappy, good, out, 1 << 20));
  EXPECT_EQ(out, "Wikip");
}

TEST(KafkaBatch, MarkersSayWhatTheyEnd) {
  const std::string batch = encode_kafka_marker(77, 4, {.commit = true, .coordinator_epoch = 12}, 99);
  KafkaBatchHeader h;
  ASSERT_EQ(check_kafka_batch(batch, h), KafkaBatchProblem::kNone);
  EXPECT_TRUE(h.control() && h.transactional());
  EXPECT_EQ(h.base_sequence, -1);
  const auto marker = parse_kafka_marker(batch, h);
  ASSERT_TRUE(marker);
  EXPECT_TRUE(marker->commit);
  EXPECT_EQ(marker->coordinator_epoch, 12);
}

TEST(KafkaBatch, SequencesWrap) {
  KafkaBatchHeader h{.last_offset_delta = 2, .base_sequence = INT32_MAX - 1};
  EXPECT_EQ(h.last_sequence(), 0);
  h.base_sequence = -1;
  EXPECT_EQ(h.last_sequence(), -1);
}

void flip(std::string& batch, env::Random& random) {
  constexpr std::size_t kFrom = 21;   // attributes and on
  char& at = batch[kFrom + random.below(batch.size() - kFrom)];
  at = static_cast<char>(at ^ static_cast<char>(1 + random.below(255)));
}

// What the fuzz target does, for a moment in every test run: bytes that are nearly a batch, the checksum forged.
TEST(KafkaBatch, NearlyBatchesAreErrorsAndNothingWorse) {
  env::SeededRandom random(4711);
  std::uint64_t parsed = 0;
  for (int round = 0; round < 20'000; ++round) {
    const KafkaCompression codec = kCodecs[random.below(5)];
    std::string batch = make_batch({{"key", std::string(random.below(300), 'v')}, {std::nullopt, "w", 5, encode_kafka_headers({{"h", "x"}})}}, {}, codec);
    for (std::uint64_t flips = 1 + random.below(4); flips > 0; --flips) flip(batch, random);
    if (random.below(4) == 0) batch.resize(KafkaBatchHeader::kBytes + random.below(batch.size() - KafkaBatchHeader::kBytes + 1));
    KafkaBatchHeader h;
    if (parse_kafka_header(batch, h) != KafkaBatchProblem::kNone) continue;
    std::string scratch;
    auto walk = KafkaRecords::open(batch, h, scratch, 1 << 20);
    if (!walk) continue;
    KafkaRecord r;
    while (true) {
      const auto more = walk->next(r);
      if (!more || !*more) break;
      ++parsed;
      const std::string copy = std::string(r.key.value_or("")) + std::string(r.value.value_or("")) + std::string(r.headers);   // sanitizers look here
      EXPECT_LE(copy.size(), 1U << 20);
    }
  }
  EXPECT_GT(parsed, 1000U);
}

}  // namespace
}  // namespace supyo::log
