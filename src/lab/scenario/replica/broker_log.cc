#include "lab/scenario/replica/broker_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace supyo::scenario {
namespace {

// Where the fields of a batch begin, and how long its header is.
constexpr std::size_t kLengthAt = 8, kEpochAt = 12, kMagicAt = 16, kLastDeltaAt = 23, kHeader = 61, kBeforeLength = 12;
constexpr char kMagic = 2;

template <class T>
T big_endian(std::string_view bytes, std::size_t at) {
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) v = v << 8 | static_cast<std::uint8_t>(bytes[at + i]);
  return static_cast<T>(v);
}

}  // namespace

Result<BrokerLog> read_broker_log(env::Files& files, const std::string& directory) {
  SUPYO_ASSIGN(const std::vector<std::string> names, files.list(directory));
  std::string last;
  for (const std::string& name : names)
    if (name.ends_with(".log")) last = std::max(last, name);   // named by their first offset, 20 digits
  BrokerLog log;
  if (last.empty() || std::from_chars(last.data(), last.data() + last.size(), log.end).ec != std::errc()) return fail(ErrorCode::kOutsideUnavailable, fmt::format("there is no segment in {}", directory), "is it the directory of a partition?");
  SUPYO_ASSIGN(const std::string text, files.read_all(env::join_path(directory, last)));
  std::string_view rest = text;
  while (rest.size() >= kHeader && rest[kMagicAt] == kMagic) {
    const auto length = big_endian<std::int32_t>(rest, kLengthAt);
    if (length < static_cast<std::int32_t>(kHeader - kBeforeLength) || rest.size() < kBeforeLength + static_cast<std::size_t>(length)) break;
    log.end = big_endian<std::int64_t>(rest, 0) + big_endian<std::int32_t>(rest, kLastDeltaAt) + 1;
    log.last_epoch = big_endian<std::int32_t>(rest, kEpochAt);
    rest.remove_prefix(kBeforeLength + static_cast<std::size_t>(length));
  }
  return log;
}

Result<std::vector<std::pair<std::int32_t, std::int64_t>>> read_leader_epochs(env::Files& files, const std::string& directory) {
  const std::string path = env::join_path(directory, "leader-epoch-checkpoint");
  SUPYO_ASSIGN(const std::string text, files.read_all(path));
  std::vector<std::int64_t> numbers;   // version, how many, then each epoch and its start
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    std::int64_t v = 0;
    const auto [next, error] = std::from_chars(at, end, v);
    if (error != std::errc()) return fail(ErrorCode::kMalformedRecord, fmt::format("{} is not what Kafka writes there", path));
    numbers.push_back(v);
    for (at = next; at != end && (*at == '\n' || *at == ' '); ++at) {}
  }
  if (numbers.size() < 2 || numbers[0] != 0 || numbers[1] < 0 || numbers.size() != 2 + 2 * static_cast<std::size_t>(numbers[1]))
    return fail(ErrorCode::kMalformedRecord, fmt::format("{} is not what Kafka writes there", path));
  std::vector<std::pair<std::int32_t, std::int64_t>> epochs;
  for (std::size_t i = 2; i < numbers.size(); i += 2) epochs.emplace_back(static_cast<std::int32_t>(numbers[i]), numbers[i + 1]);
  return epochs;
}

}  // namespace supyo::scenario
