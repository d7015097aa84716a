#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::workload {

/// What a producer knows of a record that it sent.
enum class Outcome : std::uint8_t {
  kAcknowledged,   ///< the log promised to keep it
  kFailed,         ///< it is certainly not in the log
  kUnknown,        ///< it may be there or not: the answer did not come
};
std::string_view outcome_name(Outcome outcome);

/// The producer's side of the books: how many records were acknowledged, failed, or are unknown, and why; with a file, also which ones. Comparing it with what
/// readers find is how loss is counted. Thread-safe.
///
/// The file has one JSON object a line: {"partition":0,"outcome":"acknowledged","count":3,"ids":[[1,2],[7,7]]}, with "why" unless acknowledged. `ids` are ranges,
/// both ends included. It is written as outcomes come, and not synced: it outlives the process, not the machine.
class Ledger {
 public:
  struct Counts {
    std::uint64_t acknowledged = 0, failed = 0, unknown = 0;
    std::map<std::string, std::uint64_t> why = {};   ///< error name -> records, of failed and unknown
  };
  /// `path` empty: only counts. An old file is replaced. Errors: kIo, kNotFoundOnDisk.
  static Result<std::unique_ptr<Ledger>> open(env::Files& files, const std::string& path);

  /// `why`: the error's name, empty for kAcknowledged. The error that it returns is the file's, after the counting.
  Status record(Outcome outcome, std::int32_t partition, std::span<const std::uint64_t> ids, std::string_view why = {});
  Counts counts() const;

 private:
  Ledger() = default;
  mutable std::mutex mutex_;
  Counts counts_;
  std::unique_ptr<env::File> file_;
  std::uint64_t written_ = 0;
};

/// Sorted ranges with both ends, each id once: {3, 1, 2, 7} -> "[[1,3],[7,7]]".
std::string id_ranges(std::span<const std::uint64_t> ids);

}  // namespace supyo::workload
