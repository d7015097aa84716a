#pragma once
#include <memory>
#include <string>

#include "cli/context.h"
#include "connect/stream/stream_options.h"
#include "core/base/result.h"
#include "lab/workload/generator.h"
#include "lab/workload/ledger.h"

namespace supyo::cli {

/// Where generated records go. One thread.
class GenTarget {
 public:
  virtual ~GenTarget() = default;
  virtual Status add(const workload::GeneratedRecord& record) = 0;
  /// A file or an embedded topic: what was added is there for readers when it returns. A cluster: takes the answers that have come.
  virtual Status flush() = 0;
  /// Every record has its outcome when it returns (a cluster that is silent for five seconds: failed or unknown).
  virtual Status finish() { return flush(); }
};

/// "-", a file, embedded:DIR/topic or kafka://host:port/topic (`properties` are its client's). A topic that is not there is
/// created. With a ledger, the outcome of every record goes there (topics only; else kUsage); after an error of add() or flush()
/// the outcomes of what it touched are in the ledger, and the target is opened anew or goes on. The ledger outlives the target.
Result<std::unique_ptr<GenTarget>> open_gen_target(const Context& context, const std::string& to, workload::Ledger* ledger = nullptr, const connect::ClientProperties& properties = {});

}  // namespace supyo::cli
