#pragma once
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/env/env.h"
#include "engine/job/newest_rows.h"
#include "engine/runtime/job_runner.h"
#include "judge/slo/judge.h"
#include "serve/watch/live.h"

namespace supyo::http {

/// What a page about a job is made from. All of it outlives the page; everything it names is thread-safe.
struct JobPage {
  const env::Clock& clock;
  const runtime::JobRunner& runner;
  const slo::Judge* judge = nullptr;       ///< null: the job is not judged
  job::NewestRows* newest = nullptr;       ///< null: no results are shown
  const watch::Live* brokers = nullptr;    ///< watches the groups that the job reads as; null: no loss is forecast
};

/// A part of what the judge recorded. `from_s`, `to_s`: Unix seconds; up to 0 seconds before the newest sample. `step_s` 0: what gives at most kSteps steps.
struct TimeWindow {
  static constexpr std::int64_t kSteps = 400, kStepsMax = 4'000;
  double from_s = -900, to_s = 0, step_s = 0;
};
/// "from=-600&to=0&step=2" -> TimeWindow. kUsage for anything else.
Result<TimeWindow> parse_window(std::string_view query);

/// The documents of docs/reference/http.md, each one line of JSON.
std::string slo_json(const slo::Judge& judge);
/// kUsage: more than kStepsMax steps, or a range that ends before it begins.
Result<std::string> series_json(const slo::Judge& judge, const TimeWindow& window);
std::string graph_json(const runtime::JobRunner& runner);
std::string epochs_json(const runtime::JobRunner& runner);
std::string results_json(const runtime::JobRunner& runner, job::NewestRows& newest);
/// When unread records of the job's groups will be deleted, the soonest first, and what else is wrong with the groups.
std::string loss_json(const watch::Report& report);
/// All of them in one: what the page asks for each second.
Result<std::string> dashboard_json(const JobPage& page, const TimeWindow& window, bool live);

/// The page: one self-contained document, which asks v1/dashboard.
std::string_view dashboard_html();
/// The page with everything up to now inside, to be kept as a file and read without the job.
std::string recorded_dashboard(const JobPage& page);

}  // namespace supyo::http
