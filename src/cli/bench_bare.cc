#include <simdjson.h>

#include "cli/bench.h"

namespace supyo::cli {
namespace {

using simdjson::ondemand::document;

simdjson::error_code touch(document& bid, std::uint64_t& sum) {
  for (const char* name : {"auction", "bidder", "price"}) {
    std::int64_t value = 0;
    if (const auto error = bid[name].get_int64().get(value)) return error;
    sum += static_cast<std::uint64_t>(value);
  }
  for (const char* name : {"channel", "url", "date_time", "extra"}) {
    std::string_view text;
    if (const auto error = bid[name].get_string().get(text)) return error;
    sum += text.size();
  }
  return simdjson::SUCCESS;
}

}  // namespace

static_assert(kBarePadding >= simdjson::SIMDJSON_PADDING);

Result<std::uint64_t> bare_json_loop(std::string_view lines) {
  simdjson::ondemand::parser parser;
  std::uint64_t sum = 0;
  for (std::size_t from = 0; from < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', from), lines.size());
    document bid;
    auto error = parser.iterate(lines.data() + from, end - from, lines.size() - from + kBarePadding).get(bid);
    if (!error) error = touch(bid, sum);
    if (error) return fail(ErrorCode::kMalformedRecord, fmt::format("simdjson at byte {}: {}", from, simdjson::error_message(error)));
    from = end + 1;
  }
  return sum;
}

}  // namespace supyo::cli
