#include <gtest/gtest.h>

#include <string>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/crc32c.h"
#include "core/base/hash.h"
#include "core/base/percent.h"
#include "core/base/result.h"
#include "core/base/utf8.h"

namespace supyo {
namespace {

std::uint32_t crc32c_bitwise(std::string_view s) {
  std::uint32_t crc = 0xffffffffU;
  for (const char ch : s) {
    crc ^= static_cast<unsigned char>(ch);
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78U : 0U);
  }
  return crc ^ 0xffffffffU;
}

TEST(Crc32c, CheckValueOfTheCatalogue) { EXPECT_EQ(crc32c("123456789"), 0xe3069283U); }

TEST(Crc32c, EveryLengthEqualsTheBitwiseForm) {
  std::string text;
  for (std::size_t n = 0; n < 7000; n += (n < 64 ? 1 : 331)) {
    while (text.size() < n) text.push_back(static_cast<char>(hash_u64(text.size())));
    EXPECT_EQ(crc32c(std::string_view(text).substr(0, n)), crc32c_bitwise(std::string_view(text).substr(0, n))) << n;
  }
}

TEST(Crc32c, ContinuesAnEarlierCall) { EXPECT_EQ(crc32c("456789", crc32c("123")), crc32c("123456789")); }

TEST(Bytes, RoundTripAndTruncation) {
  std::string out;
  ByteWriter w(out);
  w.varint(300);
  w.text("abc");
  w.i64(-5);
  ByteReader r(out);
  EXPECT_EQ(r.varint(), 300U);
  EXPECT_EQ(r.text(), "abc");
  EXPECT_EQ(r.i64(), -5);
  EXPECT_TRUE(r.done());
  EXPECT_FALSE(r.failed());
  for (std::size_t n = 0; n < out.size(); ++n) {
    ByteReader cut(std::string_view(out).substr(0, n));
    cut.varint(), cut.text(), cut.i64();
    EXPECT_TRUE(cut.failed()) << n;
  }
}

TEST(Hash, OfBytesStaysWhatItIs) {
  // State written by one version is found by the next.
  EXPECT_EQ(hash_bytes(""), hash_u64(0));
  for (std::size_t n = 1; n < 8; ++n) {
    const std::string text = std::string("\x81q\xf3w9k\xff").substr(0, n);
    std::uint64_t tail = 0;
    std::memcpy(&tail, text.data(), n);
    EXPECT_EQ(read_tail(text.data(), n), tail) << n;
  }
  EXPECT_EQ(hash_bytes("AAPL"), 0x75963867e4a22434ULL);
  EXPECT_EQ(hash_bytes("the quick brown fox"), 0x5251bc0a5626979ULL);
}

TEST(Hash, ShardsAreEven) {
  int count[3] = {0, 0, 0};
  for (std::uint64_t i = 0; i < 30000; ++i) ++count[shard_of(hash_u64(i), 3)];
  for (const int c : count) EXPECT_NEAR(c, 10000, 400);
}

Result<int> half(int x) {
  if (x % 2 != 0) return fail(ErrorCode::kBadOptionValue, "odd", "give an even number");
  return x / 2;
}
Result<int> quarter(int x) {
  SUPYO_ASSIGN(const int h, half(x));
  return half(h);
}

TEST(Result, PropagatesTheErrorWithItsHint) {
  EXPECT_EQ(*quarter(8), 2);
  const auto r = quarter(6);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().to_string(), "SUPYO-1003 BAD_OPTION_VALUE: odd\n  hint: give an even number");
}

TEST(CheckDeathTest, PrintsBothValues) { EXPECT_DEATH(SUPYO_CHECK_EQ(1 + 1, 3), "2 vs 3"); }

TEST(Percent, EveryByteComesBack) {
  std::string all, encoded;
  for (int b = 0; b < 256; ++b) {
    all.push_back(static_cast<char>(b));
    append_percent(static_cast<char>(b), encoded);
  }
  EXPECT_EQ(encoded.substr(0, 6) + encoded.substr(encoded.size() - 3), "%00%01%FF");
  EXPECT_EQ(percent_decoded(encoded), all);
  EXPECT_EQ(percent_decoded("a%3a%zz%4"), "a:%zz%4");
}

TEST(Utf8, BytesOfAnyKindBecomeText) {
  EXPECT_EQ(text_of_bytes("수표\n", 100), "수표\n");
  EXPECT_EQ(text_of_bytes("수표", 5), "수") << "a character that is cut goes";
  EXPECT_EQ(text_of_bytes(std::string_view("수표", 5), 5), "수");
  EXPECT_EQ(text_of_bytes(std::string_view("\0\0a\xff", 4), 100), "x'000061ff'");
  EXPECT_EQ(text_of_bytes(std::string_view("\xff\0a\xff more of it", 14), 4), "x'ff00'");
  EXPECT_EQ(text_of_bytes("", 4), "");
  EXPECT_EQ(utf8_sequence("\xed\xa0\x80"), 0U) << "half of a pair";
}

}  // namespace
}  // namespace supyo
