#pragma once
#include <string>

#include "engine/runtime/job_runner.h"
#include "judge/slo/judge.h"
#include "serve/http/dashboard.h"
#include "serve/http/job_metrics.h"
#include "serve/http/server.h"

namespace supyo::http {

/// What `supyo run --serve` answers: the dashboard, /metrics (Prometheus text 0.0.4), and what docs/reference/http.md lists.
HttpServer::Handler make_job_api(const JobPage& page);

}  // namespace supyo::http
