#include "lab/report/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "lab/report/style.h"
#include "lab/report/svg.h"
#include "lab/scenario/evaluate.h"

namespace supyo::report {
namespace {

using scenario::Arm;
using scenario::LabResult;

/// By sample: whether readers had less than they were promised, and whether the raw lag rule called.
struct Seconds {
  std::vector<bool> broken, alarm;
};

std::optional<Seconds> seconds_of(const LabResult& r, const Arm& arm) {
  Seconds s;
  if (r.kind == "pipeline") {
    const slo::Column* state = arm.column("state");
    if (state == nullptr || &arm != &r.fault) return std::nullopt;   // the lag rule's baseline is that arm's
    for (const double v : state->values) s.broken.push_back(v == 2);
    s.alarm = scenario::raw_alarm_strip(r);
    return s;
  }
  const slo::Column *broken = arm.column("slo_broken"), *alarm = arm.column("lag_alarm");
  if (broken == nullptr || alarm == nullptr || !(r.config.contains("promise to readers") || r.config.contains("promise of freshness"))) return std::nullopt;
  for (const double v : broken->values) s.broken.push_back(v == 1);
  for (const double v : alarm->values) s.alarm.push_back(v == 1);
  return s;
}

StripRow row(std::string label, const std::vector<double>& t, const std::vector<bool>& on, const Segment& yes, const Segment& no) {
  StripRow out{std::move(label), {}};
  for (std::size_t i = 0; i < std::min(t.size(), on.size()); ++i) {
    const Segment& s = on[i] ? yes : no;
    if (!out.segments.empty() && out.segments.back().style == s.style) out.segments.back().to_s = t[i];
    else out.segments.push_back({i == 0 ? 0 : t[i - 1], t[i], s.style, s.text});
  }
  return out;
}

std::string strip_of(const std::string& name, const LabResult& r, const Seconds& s) {
  TimeAxis axis{&r.fault.t_s, r.phases.back().to_s, {}, {}};
  for (const auto& p : r.phases) axis.bands.push_back({p.from_s, p.to_s, p.name, p.fault});
  const Strip strip{"strip-" + name, r.title, fmt::format("When readers of {} had less than they were promised, and when the lag alarm called.", name),
                    {{"Readers", {row("promise", r.fault.t_s, s.broken, {0, 0, "bad", "broken"}, {0, 0, "ok", "kept"})}}, {"Lag", {row("alarm", r.fault.t_s, s.alarm, {0, 0, "bad", "alarm"}, {0, 0, "quiet", "silent"})}}}};
  std::string out = fmt::format("<figure>\n<figcaption><h3>{}</h3><p>{}</p></figcaption>\n", escape(name), escape(r.title));
  out += draw_strip(strip, axis, 1000, "wide");
  out += draw_strip(strip, axis, 400, "narrow");
  return out + "</figure>\n";
}

/// A row of the table: for how long readers had less than they were promised, and what lag said meanwhile.
std::string times_of(const std::string& name, const LabResult& r, const Arm& arm) {
  const auto s = seconds_of(r, arm);
  if (!s) return {};
  double broken = 0, alarm = 0, blind = 0, false_alarm = 0;
  for (std::size_t i = 0; i < std::min({arm.t_s.size(), s->broken.size(), s->alarm.size()}); ++i) {
    const double step = arm.t_s[i] - (i == 0 ? 0 : arm.t_s[i - 1]);
    if (s->broken[i]) broken += step;
    if (s->alarm[i]) alarm += step;
    if (s->broken[i] && !s->alarm[i]) blind += step;
    if (s->alarm[i] && !s->broken[i]) false_alarm += step;
  }
  const auto cell = [](double seconds) { return fmt::format("<td class=\"n\">{}</td>", seconds > 0 ? clock_text(seconds) : "-"); };
  const std::string lab = &arm == &r.fault ? fmt::format("<a href=\"{0}/report.html\">{0}</a>", escape(name)) : fmt::format("{}, {}", escape(name), escape(arm.name));
  return fmt::format("<tr><th scope=\"row\" style=\"overflow-wrap:anywhere\">{}</th>{}{}{}{}</tr>\n", lab, cell(broken), cell(alarm), cell(blind), cell(false_alarm));
}

}  // namespace

std::string render_index(const std::vector<std::pair<std::string, LabResult>>& labs) {
  const auto as_announced = std::ranges::count_if(labs, [](const auto& lab) { return lab.second.verdict == lab.second.expected; });
  std::string out = fmt::format("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
                                "<meta name=\"generator\" content=\"Supyo\">\n<title>Supyo labs</title>\n<style>{}</style>\n</head>\n<body>\n{}<header>\n<p class=\"kicker\">Supyo labs</p>\n<h1>What the labs say</h1>\n"
                                "<p class=\"lead\">{} of {} gave the verdict that their file announces.</p>\n</header>\n<main>\n",
                                kStyle, kPatterns, as_announced, labs.size());
  out += "<section aria-labelledby=\"h-labs\">\n<h2 id=\"h-labs\">Verdicts</h2>\n<table class=\"stack\">\n<caption>Each lab with its own page</caption>\n<thead><tr><th scope=\"col\">Lab</th><th scope=\"col\">Verdict</th>"
         "<th scope=\"col\">What it is about</th><th scope=\"col\">Why</th></tr></thead>\n<tbody>\n";
  for (const auto& [name, r] : labs)
    out += fmt::format("<tr><th scope=\"row\"><a href=\"{0}/report.html\">{0}</a></th><td class=\"{1}\" style=\"white-space:nowrap\">{2}{3}</td><td>{4}</td><td>{5}</td></tr>\n", escape(name), r.verdict == r.expected ? "yes" : "no", scenario::verdict_name(r.verdict),
                       r.verdict == r.expected ? std::string() : fmt::format(", announced was {}", scenario::verdict_name(r.expected)), escape(r.title.empty() ? r.hypothesis : r.title), escape(r.why));
  out += "</tbody>\n</table>\n</section>\n";
  std::string times, strips;
  for (const auto& [name, r] : labs) {
    times += times_of(name, r, r.fault);
    for (const Arm& arm : r.arms) times += times_of(name, r, arm);
    if (const auto s = seconds_of(r, r.fault)) strips += strip_of(name, r, *s);
  }
  if (!strips.empty())
    out += "<section aria-labelledby=\"h-blind\">\n<h2 id=\"h-blind\">What readers had, beside what lag said</h2>\n<table>\n<caption>For how long, by arm, in minutes and seconds</caption>\n<thead><tr><th scope=\"col\">Lab and arm</th><th scope=\"col\" class=\"n\">Promise broken</th>"
           "<th scope=\"col\" class=\"n\">Lag alarm on</th><th scope=\"col\" class=\"n\">Broken, lag silent</th><th scope=\"col\" class=\"n\">Kept, lag alarm on</th></tr></thead>\n<tbody>\n" + times +
           "</tbody>\n</table>\n<p style=\"margin-top:1.5rem\">Of each lab's fault arm, minute by minute. Red above and nothing below: lag was blind. Red below only: a false alarm.</p>\n" + strips + "</section>\n";
  return out + "</main>\n<footer><p>This page needs no network and runs no script.</p></footer>\n</body>\n</html>\n";
}

}  // namespace supyo::report
