#include "lab/workload/generator.h"

#include <fmt/format.h>

#include "lab/workload/product.h"

namespace supyo::workload {

std::vector<std::string_view> domains() { return {"product"}; }

Result<std::unique_ptr<Generator>> make_generator(std::string_view domain, const GeneratorOptions& o) {
  if (domain != "product") {
    return fail(ErrorCode::kUnknownOption, fmt::format("no event generator for the domain '{}'", domain), fmt::format("domains: {}", fmt::join(domains(), ", ")));
  }
  const auto bad = [](std::string_view option, std::string_view bounds) {
    return fail(ErrorCode::kBadOptionValue, fmt::format("{} is out of bounds", option), fmt::format("{} lies in {}", option, bounds));
  };
  if (!(o.tps > 0 && o.tps <= 10'000'000)) return bad("tps", "0 (not included) to 10,000,000");
  if (!(o.duplicates >= 0 && o.duplicates <= 1)) return bad("duplicates", "0 to 1");
  if (!(o.late >= 0 && o.late <= 1)) return bad("late", "0 to 1");
  if (o.disorder_us < 0 || o.disorder_us > kDay) return bad("disorder", "0s to 1d");
  if (o.keys == 0 || o.keys > 999'999) return bad("keys", "1 to 999,999");
  return std::make_unique<ProductGenerator>(o);
}

}  // namespace supyo::workload
