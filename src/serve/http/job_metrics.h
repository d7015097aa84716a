#pragma once
#include <span>
#include <string>
#include <string_view>

#include "engine/runtime/job_stats.h"
#include "judge/slo/judge.h"
#include "serve/http/http_message.h"

namespace supyo::http {

/// What a running job exports: each metric is declared once, here; the page, its HELP and TYPE lines and docs/reference/metrics.md come from it.
struct MetricDeclaration {
  std::string_view name;
  std::string_view type;     ///< "counter", "gauge", or "summary" (quantiles alone)
  std::string_view labels;   ///< "objective, service"; empty: none
  std::string_view help;
  std::string_view group;    ///< its heading in the reference
};
std::span<const MetricDeclaration> job_metrics();
/// The reference's section about them, in Markdown.
std::string job_metrics_reference();

/// The page of a job in Prometheus text format 0.0.4. `judge` may be null.
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
std::string metrics_text(const runtime::JobStats& stats, const slo::Judge* judge);

/// `text` (0.0.4) as OpenMetrics 1.0: a counter's family has no _total, and the page ends with # EOF.
/// Source: https://prometheus.io/docs/specs/om/open_metrics_spec/
std::string openmetrics_text(std::string_view text);

/// The page in the format that the request's Accept header prefers: OpenMetrics where it is named, text otherwise.
Response metrics_response(const Request& request, std::string text);

}  // namespace supyo::http
