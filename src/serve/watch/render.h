#pragma once
#include <string>

#include "core/obs/metrics.h"
#include "serve/watch/view.h"

namespace supyo::watch {

/// Registers what `view` shows, in an empty registry. Names as kafka_exporter has them, with Supyo's prefix; docs/reference/metrics.md lists them.
void add_metrics(obs::Registry& registry, const View& view);
std::string metrics_text(const View& view);

/// The same for the page: {"source","embedded","reachable","problem","at_s","took_ms","topics":[..],"groups":[..]}, one object a topic and one a group and topic,
/// each over its partitions. Names are data from outside: escaped.
std::string flows_json(const View& view);

}  // namespace supyo::watch
