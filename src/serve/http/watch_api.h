#pragma once
#include <functional>
#include <string>

#include "core/env/env.h"
#include "serve/http/server.h"
#include "serve/watch/view.h"

namespace supyo::http {

/// The pages of what is watched: / (both flows drawn, live), /healthz, /metrics, /v1/flows. Notes who scrapes and how often: that is the metrics' flow on the page.
/// `view` and `more_metrics` (other families, in the text format; may be empty) are called by the server's thread.
HttpServer::Handler make_watch_api(const env::Clock& clock, std::function<watch::View()> view, std::function<std::string()> more_metrics = {});

}  // namespace supyo::http
