#include "data/log/producer_snapshot.h"

#include <algorithm>
#include <charconv>

#include "core/base/bytes.h"
#include "core/base/crc32c.h"

namespace supyo::log {
namespace {

constexpr std::uint32_t kMagic = 0x50505553;  // "SUPP"
constexpr std::uint32_t kVersion = 1;
constexpr std::string_view kSuffix = ".producers";

}  // namespace

std::string producer_snapshot_name(Offset at) { return fmt::format("{:020}{}", at.value, kSuffix); }

Result<std::vector<Offset>> list_producer_snapshots(env::Files& files, const std::string& directory) {
  SUPYO_ASSIGN(const auto names, files.list(directory));
  std::vector<Offset> all;
  for (const std::string& name : names) {
    std::int64_t at = 0;
    if (name.size() != 20 + kSuffix.size() || !name.ends_with(kSuffix)) continue;
    const auto [end, error] = std::from_chars(name.data(), name.data() + 20, at);
    if (error == std::errc() && end == name.data() + 20) all.emplace_back(at);
  }
  std::sort(all.begin(), all.end());
  return all;
}

Status write_producer_snapshot(env::Files& files, const std::string& directory, const LogIdentity& log, Offset at, const ProducerStates& states) {
  std::string body;
  ByteWriter w(body);
  w.u32(kVersion);
  w.u64(log.log_id);
  w.u32(static_cast<std::uint32_t>(log.partition.value));
  w.i64(at.value);
  body += states.encode();
  std::string bytes;
  ByteWriter head(bytes);
  head.u32(kMagic);
  head.u32(crc32c(body));
  return files.write_atomically(env::join_path(directory, producer_snapshot_name(at)), bytes + body);
}

Result<bool> read_producer_snapshot(env::Files& files, const std::string& directory, const LogIdentity& log, Offset at, ProducerStates& states) {
  SUPYO_ASSIGN(const std::string bytes, files.read_all(env::join_path(directory, producer_snapshot_name(at))));
  ByteReader r(bytes);
  const std::uint32_t magic = r.u32();
  const std::uint32_t crc = r.u32();
  if (r.failed() || magic != kMagic || crc32c(std::string_view(bytes).substr(8)) != crc) return false;
  if (r.u32() != kVersion || r.u64() != log.log_id || r.u32() != static_cast<std::uint32_t>(log.partition.value) || r.i64() != at.value) return false;
  return states.decode(r.bytes(r.remaining()));
}

}  // namespace supyo::log
