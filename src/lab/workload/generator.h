#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo::workload {

/// What every domain's generator takes. The same options and seed give the same records, byte for byte.
struct GeneratorOptions {
  std::uint64_t seed = 1;
  double tps = 2000;                 ///< changes a second, in event time
  std::uint64_t count = 0;           ///< changes in all (copies not counted); 0: no end
  double duplicates = 0;             ///< share of changes that are sent twice
  DurationUs disorder_us = 0;        ///< a record is sent less than this after its event
  double late = 0;                   ///< share of changes that are sent later than `disorder_us` allows
  bool resend = false;               ///< the producer restarts now and then and sends its last records again
  TimeUs start_us = 1'767'225'600'000'000;  ///< event time of the first change: 2026-01-01 00:00:00
  std::uint32_t keys = 1000;         ///< how many products (users, riders) there are
  DurationUs bursts_us = 15 * kMinute;   ///< "request": a time of many errors comes this often
  std::uint32_t payload_bytes = 0;   ///< each record gets a field "payload" of so many characters that no codec makes smaller: large events
};

/// A record on its way to the log, in the order in which it is sent.
struct GeneratedRecord {
  TimeUs due_us = 0;     ///< when it is produced (its ingest_time); never goes back
  TimeUs event_us = 0;
  std::uint64_t id = 0;  ///< of the change, from 1; a copy has the same
  std::string key;       ///< partition key
  std::string value;     ///< one JSON object, no line break
};

/// Makes one domain's records, and knows what the domain's example pipeline must make of them.
class Generator {
 public:
  virtual ~Generator() = default;
  /// The next record into `record` (its strings are used again); false at the end. Single-threaded.
  virtual bool next(GeneratedRecord& record) = 0;
  /// From the next change on, `tps` changes a second, beginning at `from_us` or after the last change, whichever is later. The same records follow, at other times.
  virtual void set_rate(double tps, TimeUs from_us) = 0;
  /// From now on the expected results are worked out as well, for a watermark `bound_us` behind the newest event of one partition.
  virtual void track_truth(DurationUs bound_us) = 0;
  /// The expected rows of the example pipeline for everything given out so far, one JSON object a line, in result order (key, event time).
  /// Needs track_truth() before the first next().
  virtual std::string truth() const = 0;
};

/// Puts `,"payload":"..."` of `bytes` characters before the closing bracket of a JSON object: the same for the same seed and id.
void append_payload(std::string& object, std::uint64_t seed, std::uint64_t id, std::uint32_t bytes);

/// Domains that there are: "product", "order", "user", "dispatch", "request".
std::vector<std::string_view> domains();
/// Errors: kUnknownOption (no such domain), kBadOptionValue (naming the option and its bounds).
Result<std::unique_ptr<Generator>> make_generator(std::string_view domain, const GeneratorOptions& options);

}  // namespace supyo::workload
