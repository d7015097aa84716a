#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/drive.h"
#include "core/base/duration.h"
#include "engine/job/late_curve.h"

/// supyo late FILE.sql: late rates as a function of the watermark's bound.
namespace supyo::cli {
namespace {

struct LateOptions {
  std::string file, from = "5m", to = "6h";
  double target_percent = 1;
  std::size_t points = 24;
  std::vector<std::string> settings, variables;
  bool json = false;
};

std::string percent(double rate) { return fmt::format("{:.3f} %", rate * 100); }

std::string bar(double rate, double largest) {
  constexpr double kWidth = 32;
  const auto length = static_cast<std::size_t>(largest > 0 ? rate / largest * kWidth + 0.5 : 0);
  return std::string(length, '#');
}

std::string bound_text(DurationUs us) {
  const std::int64_t s = us / kSecond;
  std::string text;
  for (const auto& [length, unit] : {std::pair<std::int64_t, const char*>(86'400, "d"), {3600, "h"}, {60, "min"}, {1, "s"}}) {
    const std::int64_t n = length == 86'400 ? s / length : s % (length * (length == 3600 ? 24 : 60)) / length;
    if (n > 0) text += fmt::format("{}{} {}", text.empty() ? "" : " ", n, unit);
  }
  return text.empty() ? "0 s" : text;
}
std::string needs(const std::optional<DurationUs>& bound) { return bound ? bound_text(*bound) : "more than 7 days"; }

std::string as_text(const job::LateCurve& curve, double target) {
  std::string text = fmt::format("{}: {} rows by {}{}\n\n", curve.table, grouped(curve.rows), curve.row_time, curve.dead > 0 ? fmt::format(", {} dead", grouped(curve.dead)) : "");
  double largest = 0;
  for (const auto& p : curve.points) largest = std::max({largest, p.behind_rate, p.window_rate});
  const bool window = !curve.window.empty();
  text += fmt::format("  {:>12}  {:>10}  {:>10}\n", "bound", "behind", window ? "late" : "");
  const auto line = [&](const job::LateCurve::Point& p, std::string_view mark) {
    text += fmt::format("{} {:>12}  {:>10}  {:>10}  {}\n", mark, bound_text(p.bound_us), percent(p.behind_rate), window ? percent(p.window_rate) : "",
                        bar(window ? p.window_rate : p.behind_rate, largest));
  };
  bool shown = false;
  for (const auto& p : curve.points) {
    if (!shown && curve.declared.bound_us <= p.bound_us) {
      line(curve.declared, "*");
      shown = true;
      if (curve.declared.bound_us == p.bound_us) continue;
    }
    line(p, " ");
  }
  if (!shown) line(curve.declared, "*");
  text += fmt::format("\n  * the bound that the file declares\n  behind: rows older than the watermark{}\n", window ? fmt::format("; late: rows whose window ({}) had closed", curve.window) : "");
  text += fmt::format("  less than {} behind needs a bound of {}\n", percent(target), needs(curve.behind_needs_us));
  if (window) text += fmt::format("  less than {} late needs a bound of {}\n", percent(target), needs(curve.window_needs_us));
  return text;
}

std::string as_json(const job::LateCurve& curve, double target) {
  const auto point = [](const job::LateCurve::Point& p) {
    return fmt::format("{{\"bound_s\":{},\"behind_rate\":{:.9g},\"window_rate\":{:.9g}}}", static_cast<double>(p.bound_us) / kSecond, p.behind_rate, p.window_rate);
  };
  const auto seconds = [](const std::optional<DurationUs>& us) { return us ? fmt::format("{}", static_cast<double>(*us) / kSecond) : std::string("null"); };
  std::string points;
  for (const auto& p : curve.points) points += (points.empty() ? "" : ",") + point(p);
  return fmt::format("{{\"table\":{},\"row_time\":{},\"window\":{},\"rows\":{},\"dead\":{},\"target\":{},\"declared\":{},\"points\":[{}],\"behind_needs_s\":{},\"window_needs_s\":{}}}\n",
                     json_string(curve.table), json_string(curve.row_time), json_string(curve.window), curve.rows, curve.dead, target, point(curve.declared), points,
                     seconds(curve.behind_needs_us), seconds(curve.window_needs_us));
}

Result<job::LateCurveOptions> curve_options(const LateOptions& options) {
  job::LateCurveOptions curve;
  SUPYO_ASSIGN(curve.from_us, parse_duration(options.from));
  SUPYO_ASSIGN(curve.to_us, parse_duration(options.to));
  if (curve.from_us <= 0 || curve.to_us <= curve.from_us) return fail(ErrorCode::kUsage, "--from must be above 0 and below --to");
  if (options.points < 2 || options.points > 1000) return fail(ErrorCode::kUsage, "--points takes 2 to 1000");
  if (options.target_percent <= 0 || options.target_percent >= 100) return fail(ErrorCode::kUsage, "--target is a percentage between 0 and 100");
  curve.points = options.points;
  curve.target = options.target_percent / 100;
  return curve;
}

int run_late(Context& context, const LateOptions& options) {
  int result = kFine;
  const auto curve_of = curve_options(options);
  if (!curve_of) return report(curve_of.error());
  const std::optional<Script> script = read_script(context, options.file, options.variables, result);
  if (!script) return result;
  const auto settings = parse_assignments(options.settings, "--set");
  if (!settings) return report(settings.error());
  job::EngineOptions engine_options;
  engine_options.base_directory = context.working_directory;
  engine_options.settings = *settings;
  auto engine = job::Engine::create(context.env, std::move(engine_options));
  if (!engine) return report(engine.error());
  const auto job = (*engine)->load(script->text, {});
  if (!job) return report(job.error(), script->text, script->name);
  const auto curve = job::late_curve(context.env, **engine, *job, ".", *curve_of);
  if (!curve) return report(curve.error(), script->text, script->name);
  write_out(options.json ? as_json(*curve, curve_of->target) : as_text(*curve, curve_of->target));
  return kFine;
}

}  // namespace

void add_late(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<LateOptions>();
  CLI::App* sub = app.add_subcommand("late", "how many rows are late as a function of the watermark's bound, and which bound a target needs");
  sub->add_option("FILE", options->file, "SQL file whose source is bounded and has a WATERMARK")->required();
  sub->add_option("--target", options->target_percent, "percentage of late rows that is still fine");
  sub->add_option("--from", options->from, "smallest bound shown");
  sub->add_option("--to", options->to, "largest bound shown");
  sub->add_option("--points", options->points, "how many bounds");
  sub->add_option("--set", options->settings, "KEY=VALUE: a setting")->allow_extra_args(false);
  sub->add_option("--var", options->variables, "NAME=VALUE: fills ${NAME} in the file")->allow_extra_args(false);
  sub->add_flag("--json", options->json, "one JSON document");
  sub->footer("Example:\n  supyo late examples/flights/pipeline.sql --var DATA=build/flights");
  sub->callback([options, &context, &result] { result = run_late(context, *options); });
}

}  // namespace supyo::cli
