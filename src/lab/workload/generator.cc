#include "lab/workload/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/base/check.h"
#include "core/base/hash.h"
#include "lab/workload/dispatch.h"
#include "lab/workload/order.h"
#include "lab/workload/product.h"
#include "lab/workload/request.h"

namespace supyo::workload {

namespace {

constexpr std::uint32_t kPayloadBytesMax = 1'000'000;

struct Domain {
  std::string_view name;
  std::unique_ptr<Generator> (*make)(const GeneratorOptions&);
};
template <class G>
std::unique_ptr<Generator> make_one(const GeneratorOptions& o) { return std::make_unique<G>(o); }
constexpr Domain kDomains[] = {{"product", make_one<ProductGenerator>}, {"order", make_one<OrderGenerator>}, {"user", make_one<UserGenerator>}, {"dispatch", make_one<DispatchGenerator>}, {"request", make_one<RequestGenerator>}};

}  // namespace

void append_payload(std::string& object, std::uint64_t seed, std::uint64_t id, std::uint32_t bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  SUPYO_CHECK(object.ends_with('}'));
  object.pop_back();
  object += ",\"payload\":\"";
  std::uint64_t state = hash_u64(seed) ^ id;
  for (std::uint32_t i = 0; i < bytes;) {
    state = hash_u64(state + 0x9e3779b97f4a7c15ULL);
    for (std::uint32_t k = 0; k < 10 && i < bytes; ++k, ++i) object += kAlphabet[state >> (6 * k) & 63];
  }
  object += "\"}";
}

std::vector<std::string_view> domains() {
  std::vector<std::string_view> out;
  for (const Domain& d : kDomains) out.push_back(d.name);
  return out;
}

Result<std::unique_ptr<Generator>> make_generator(std::string_view domain, const GeneratorOptions& o) {
  const auto* const found = std::ranges::find(kDomains, domain, &Domain::name);
  if (found == std::end(kDomains)) {
    return fail(ErrorCode::kUnknownOption, fmt::format("no event generator for the domain '{}'", domain), fmt::format("domains: {}", fmt::join(domains(), ", ")));
  }
  const auto bad = [](std::string_view option, std::string_view bounds) {
    return fail(ErrorCode::kBadOptionValue, fmt::format("{} is out of bounds", option), fmt::format("{} lies in {}", option, bounds));
  };
  if (!(o.tps > 0 && o.tps <= 10'000'000)) return bad("tps", "0 (not included) to 10,000,000");
  if (!(o.duplicates >= 0 && o.duplicates <= 1)) return bad("duplicates", "0 to 1");
  if (!(o.late >= 0 && o.late <= 1)) return bad("late", "0 to 1");
  if (o.disorder_us < 0 || o.disorder_us > kDay) return bad("disorder", "0s to 1d");
  if (o.payload_bytes > kPayloadBytesMax) return bad("payload", "0 to 1,000,000 bytes");
  if (o.bursts_us < 15 * kSecond) return bad("bursts", "15 s at least");
  if (o.keys == 0 || o.keys > 999'999) return bad("keys", "1 to 999,999");
  return found->make(o);
}

}  // namespace supyo::workload
