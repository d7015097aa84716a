#pragma once
#include <string>
#include <vector>

#include "connect/kafka/admin.h"
#include "core/base/result.h"
#include "core/env/env.h"
#include "serve/watch/view.h"

namespace supyo::watch {

/// What to look at; empty: everything but internal topics.
struct Filter {
  std::vector<std::string> groups = {};
  std::string topic = {};
};

/// One look at a cluster. Only asks; changes nothing. A group or topic that vanishes between two questions is left out. Errors: kOutsideUnavailable; kUnknownTable when
/// `filter.topic` is not there.
Result<View> look_at_cluster(connect::KafkaAdmin& admin, const Filter& filter);

/// One look at an embedded log, from any process. kFileNotFound when there is no such directory.
Result<View> look_at_log(env::Files& files, const std::string& directory);

}  // namespace supyo::watch
