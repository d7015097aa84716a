#pragma once
#include <string>

#include "engine/runtime/job_runner.h"
#include "judge/slo/judge.h"
#include "serve/http/job_metrics.h"
#include "serve/http/server.h"

namespace supyo::http {

/// What `supyo run --serve` answers: /, /healthz, /metrics (Prometheus text 0.0.4), /v1/job, /v1/slo. Both outlive the server; `judge` may be null.
HttpServer::Handler make_job_api(const runtime::JobRunner& runner, const slo::Judge* judge);

/// The body of /v1/slo.
std::string slo_json(const slo::Judge& judge);

}  // namespace supyo::http
