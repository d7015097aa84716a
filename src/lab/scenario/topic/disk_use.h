#pragma once
#include <cstdint>
#include <string>

#include "core/env/env.h"

namespace supyo::scenario {

/// What one partition takes on a broker's disk, seen from outside: the sizes and names of its segment files, as Kafka (DATA/TOPIC-N/BASE.log) and Supyo's broker
/// (DATA/TOPIC/N/BASE.seg) keep them.
struct DiskUse {
  double log_bytes = 0;        ///< of the log itself, as retention counts it
  double disk_bytes = 0;       ///< with what was deleted and still waits for the end of its file
  double record_bytes = 0;     ///< of a record, mean over what is there; 0: too little is there to say
};

class PartitionOnDisk {
 public:
  /// `data`: a broker's data directory on this machine; empty: not known, and look() sees nothing.
  PartitionOnDisk(env::Files& files, std::string data, std::string topic, int partition) : files_(&files), data_(std::move(data)), topic_(std::move(topic)), partition_(partition) {}
  /// Files may come and go meanwhile: those that went are not counted. `end`: the log's end, for the segment that is being written. The mean record
  /// is remembered between calls.
  DiskUse look(std::int64_t end);

 private:
  env::Files* files_;
  std::string data_, topic_;
  int partition_;
  std::string directory_;
  double record_bytes_ = 0;
};

}  // namespace supyo::scenario
