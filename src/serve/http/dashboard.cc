#include "serve/http/dashboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "serve/http/embedded.h"
#include "serve/http/json.h"

namespace supyo::http {
namespace {

constexpr std::size_t kClocksMax = 20;

double seconds(DurationUs us) { return static_cast<double>(us) / kSecond; }
std::string time_json(TimeUs t) { return t == kTimeMin || t == kTimeMax ? "null" : fmt::format("{:.3f}", seconds(t)); }

/// "[a,b]" of what `one` makes of each.
template <class Items, class One>
std::string list(const Items& items, One one) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ',';
    out += one(item);
  }
  return out + ']';
}

std::string counts_json(const slo::Counts& c) { return fmt::format("{{\"good\":{},\"bad\":{}}}", c.good, c.bad); }

std::string cause_json(const slo::Cause& c) {
  std::string numbers;
  for (const auto& [name, value] : c.numbers) numbers += fmt::format("{}{}:{}", numbers.empty() ? "" : ",", json_text(name), json_number(value));
  return fmt::format("{{\"rule\":{},\"weight\":{},\"numbers\":{{{}}},\"evidence\":{},\"next_step\":{}}}", json_text(c.rule), json_number(c.weight), numbers, json_text(c.evidence), json_text(c.next_step));
}

std::string ticket_json(const slo::Ticket& t) {
  return fmt::format("{{\"rule\":{},\"evidence\":{},\"next_step\":{}}}", json_text(t.rule), json_text(t.evidence), json_text(t.next_step));
}

std::string objective_json(const slo::Objective& o, const slo::ObjectiveStatus& s) {
  return fmt::format("{{\"name\":{},\"display_name\":{},\"description\":{},\"service\":{},\"objective\":{},\"measure\":{},\"role\":{},\"clock\":{},\"reference\":{},\"target\":{},\"threshold_s\":{},"
                     "\"window_s\":{},\"judged\":{},\"breached\":{},\"breached_since_s\":{},\"good\":{},\"bad\":{},\"now\":{},\"budget_left\":{},\"alerts\":{}}}",
                     json_text(o.name), json_text(o.display_name), json_text(o.description), json_text(o.service), json_text(o.sentence()), json_text(slo::measure_name(o.measure)),
                     json_text(slo::role_name(o.role)), json_text(slo::clock_name(o.clock)), json_text(slo::reference_name(o.reference)), json_number(o.target),
                     o.has_threshold() ? json_number(seconds(o.threshold_us)) : "null", json_number(seconds(o.window_us)), s.judged, s.breached, s.breached ? time_json(s.breached_since_us) : "null",
                     s.window.good, s.window.bad, counts_json(s.now), json_number(s.budget_left), list(s.alerts, [](const auto& a) { return json_text(a); }));
}

std::string moment_json(const slo::Moment& m) {
  return fmt::format("{{\"t\":{},\"state\":\"{}\",\"reasons\":{},\"causes\":{}}}", time_json(m.t), slo::state_name(m.state), list(m.reasons, [](const auto& r) { return json_text(r); }), list(m.causes, cause_json));
}

/// Records, and the mean seconds of each stage.
std::string waterfall_json(const slo::Waterfall& w) {
  if (w.records == 0) return "null";
  const auto mean = [&](std::int64_t us) { return json_number(seconds(us) / static_cast<double>(w.records)); };
  return fmt::format("[{},{},{},{},{},{},{}]", w.records, mean(w.source_us), mean(w.log_us), mean(w.interval_us), mean(w.watermark_us), mean(w.epoch_us), mean(w.commit_us));
}

/// Five digits are enough to look at.
std::string value_json(double v) { return std::isfinite(v) ? fmt::format("{:.5g}", v) : "null"; }

Result<slo::Range> range_of(const TimeWindow& w, TimeUs newest_us) {
  const double newest = seconds(newest_us), from = w.from_s <= 0 ? newest + w.from_s : w.from_s, to = w.to_s <= 0 ? newest + w.to_s : w.to_s;
  if (!(to > from)) return fail(ErrorCode::kUsage, "the range ends before it begins", "give from below to: Unix seconds, or up to 0 for seconds before now");
  static constexpr std::array<std::int64_t, 14> kNice = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 21'600, 86'400};
  double step = w.step_s;
  if (step <= 0) {
    const double least = (to - from) / static_cast<double>(TimeWindow::kSteps);
    const auto nice = std::ranges::find_if(kNice, [&](std::int64_t s) { return static_cast<double>(s) >= least; });
    step = nice != kNice.end() ? static_cast<double>(*nice) : std::ceil(least);
  }
  if ((to - from) / step > static_cast<double>(TimeWindow::kStepsMax))
    return fail(ErrorCode::kUsage, fmt::format("that are more than {} steps", TimeWindow::kStepsMax), "a shorter range or a longer step");
  slo::Range range;
  range.step_us = std::max<DurationUs>(static_cast<DurationUs>(step * kSecond), kMillisecond);
  // On a grid, so that a step has the same samples whoever asks and whenever.
  range.from_us = static_cast<TimeUs>(from * kSecond) / range.step_us * range.step_us;
  range.to_us = (static_cast<TimeUs>(to * kSecond) + range.step_us - 1) / range.step_us * range.step_us;
  return range;
}

std::string_view kind_name(runtime::JobShape::Kind k) {
  switch (k) {
    case runtime::JobShape::Kind::kSource: return "source";
    case runtime::JobShape::Kind::kOperator: return "operator";
    case runtime::JobShape::Kind::kSink: return "sink";
    case runtime::JobShape::Kind::kSideSink: return "side-sink";
  }
  return "";
}

}  // namespace

Result<TimeWindow> parse_window(std::string_view query) {
  TimeWindow w;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(part.size() + 1, query.size()));
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals), text = equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    double* into = name == "from" ? &w.from_s : name == "to" ? &w.to_s : name == "step" ? &w.step_s : nullptr;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (into == nullptr || error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || std::abs(value) > 1e11)
      return fail(ErrorCode::kUsage, fmt::format("'{}' is no part of a range", part.substr(0, 40)), "from, to and step, in seconds: ?from=-3600&to=0&step=10");
    *into = value;
  }
  if (w.step_s < 0) return fail(ErrorCode::kUsage, "a step is above 0", "");
  return w;
}

std::string slo_json(const slo::Judge& judge) {
  const slo::Decision d = judge.decision();
  const auto statuses = judge.objectives();
  const slo::Judge::Totals totals = judge.totals();
  const TimeUs sampled = judge.sampled_us();
  std::string objectives;
  for (std::size_t i = 0; i < statuses.size(); ++i) objectives += (i > 0 ? "," : "") + objective_json(judge.declared().items[i], statuses[i]);
  return fmt::format("{{\"state\":\"{}\",\"since_s\":{},\"sampled_s\":{},\"started_s\":{},\"reasons\":{},\"causes\":{},\"tickets\":{},\"objectives\":[{}],\"waterfall\":{},"
                     "\"totals\":{{\"taken\":{},\"finished\":{},\"unfinished\":{},\"lost\":{},\"duplicates\":{},\"dead\":{},\"dropped_late\":{},\"behind\":{}}},"
                     "\"lag\":{{\"committed\":{},\"fetched\":{},\"raw_alarm\":{},\"burrow\":\"{}\"}}}}",
                     slo::state_name(d.state), time_json(d.since_us), time_json(sampled), time_json(judge.started_us()), list(d.reasons, [](const auto& r) { return json_text(r); }),
                     list(judge.causes(), cause_json), list(d.tickets, ticket_json), objectives, waterfall_json(judge.waterfall(sampled - kMinute, sampled)), totals.taken, totals.finished,
                     totals.unfinished, totals.lost, totals.duplicates, totals.dead, totals.dropped_late, totals.behind, json_number(d.lag_committed), json_number(d.lag_fetched), d.raw_alarm,
                     slo::burrow_status_name(d.burrow));
}

Result<std::string> series_json(const slo::Judge& judge, const TimeWindow& window) {
  SUPYO_ASSIGN(const slo::Range range, range_of(window, judge.sampled_us()));
  const slo::Look look = judge.look(range);
  std::string columns;
  for (const slo::Column& c : look.columns) columns += fmt::format("{}{}:{}", columns.empty() ? "" : ",", json_text(c.name), list(c.values, value_json));
  return fmt::format("{{\"from_s\":{},\"to_s\":{},\"step_s\":{},\"t\":{},\"columns\":{{{}}},\"waterfalls\":{},\"events\":{},\"moments\":{}}}", time_json(range.from_us), time_json(range.to_us),
                     json_number(seconds(range.step_us)), list(look.times, time_json), columns, list(look.waterfalls, waterfall_json),
                     list(look.events, [](const auto& e) { return fmt::format("{{\"t\":{},\"what\":{}}}", time_json(e.t), json_text(e.what)); }), list(look.moments, moment_json));
}

std::string graph_json(const runtime::JobRunner& runner) {
  const runtime::JobShape shape = runner.shape();
  const auto node = [](const auto& n) {
    return fmt::format("{{\"id\":{},\"kind\":\"{}\",\"name\":{},\"head\":{},\"instances\":{}}}", n.id, kind_name(n.kind), json_text(n.name), n.head, n.instances);
  };
  const auto edge = [](const auto& e) { return fmt::format("{{\"from\":{},\"to\":{},\"direct\":{},\"keyed\":{}}}", e.from, e.to, e.direct, e.keyed); };
  return fmt::format("{{\"nodes\":{},\"edges\":{}}}", list(shape.nodes, node), list(shape.edges, edge));
}

std::string epochs_json(const runtime::JobRunner& runner) {
  return list(runner.epoch_records(), [](const runtime::EpochRecord& e) {
    return fmt::format("{{\"epoch\":{},\"failed\":{},\"at_s\":{},\"duration_s\":{},\"commit_s\":{},\"bytes\":{}}}", e.epoch.value, e.failed, time_json(e.at_us), json_number(seconds(e.duration_us)),
                       json_number(seconds(e.commit_us)), e.bytes);
  });
}

std::string results_json(const runtime::JobRunner& runner, job::NewestRows& newest) {
  const auto column = [](const Field& f) {
    const bool time = f.type.id == TypeId::kTimestamp || f.type.id == TypeId::kTimestampLtz;
    return fmt::format("{{\"name\":{},\"type\":{},\"kind\":\"{}\"}}", json_text(f.name), json_text(f.type.to_string()), f.type.is_numeric() ? "number" : time ? "time" : "text");
  };
  const auto row = [](const job::NewestRows::Row& r) {
    return fmt::format("{{\"op\":\"{}\",\"cells\":{}}}", row_kind_text(r.kind), list(r.cells, [](const auto& c) { return c ? json_text(*c) : std::string("null"); }));
  };
  return list(newest.look(runner.stats().epochs.last_visible), [&](const job::NewestRows::Table& t) {
    return fmt::format("{{\"name\":{},\"keyed\":{},\"columns\":{},\"rows\":{},\"written\":{},\"left_out\":{}}}", json_text(t.name), t.keyed, list(t.schema.fields(), column), list(t.rows, row), t.written,
                       t.left_out);
  });
}

std::string loss_json(const watch::Report& report) {
  struct Clock {
    const watch::GroupReport* group = nullptr;
    const watch::GroupReport::PartitionReport* partition = nullptr;
  };
  std::vector<Clock> clocks;
  std::vector<diagnosis::Finding> findings = report.cluster;
  for (const watch::GroupReport& g : report.groups) {
    for (const auto& p : g.partitions) clocks.push_back({&g, &p});
    findings.insert(findings.end(), g.findings.begin(), g.findings.end());
  }
  // The job itself reads, and is no member: like Flink it takes its partitions and commits for the group.
  std::erase_if(findings, [](const diagnosis::Finding& f) { return f.cause == diagnosis::Cause::kNoConsumers; });
  diagnosis::rank(findings);
  // What is lost already, then the soonest.
  const auto urgency = [](const Clock& c) { return c.partition->forecast.state == diagnosis::LossState::kExposed ? kTimeMin : c.partition->forecast.moving ? c.partition->forecast.moving->low : kTimeMax; };
  std::ranges::stable_sort(clocks, {}, urgency);
  if (clocks.size() > kClocksMax) clocks.resize(kClocksMax);
  const auto in = [&](std::optional<TimeUs> t) { return t ? json_number(seconds(*t - report.at_us)) : "null"; };
  const auto clock = [&](const Clock& c) {
    const diagnosis::LossForecast& f = c.partition->forecast;
    return fmt::format("{{\"group\":{},\"topic\":{},\"partition\":{},\"state\":\"{}\",\"cause\":\"{}\",\"lower_s\":{},\"central_s\":{},\"upper_s\":{},\"stopped_s\":{},\"exposed\":{},\"lost\":{},\"why\":{}}}", json_text(c.group->name),
                       json_text(c.partition->topic), c.partition->partition, diagnosis::loss_state_name(f.state), diagnosis::loss_cause_name(f.cause), f.moving ? in(f.moving->low) : "null",
                       f.moving ? in(f.moving->mid) : "null", f.moving ? in(f.moving->high) : "null", f.stopped ? in(f.stopped->low) : "null", f.exposed, c.partition->lost, json_text(f.why));
  };
  const auto finding = [](const diagnosis::Finding& f) {
    return fmt::format("{{\"rule\":\"{}\",\"severity\":\"{}\",\"subject\":{},\"evidence\":{},\"next_step\":{}}}", diagnosis::cause_name(f.cause), diagnosis::severity_name(f.severity), json_text(f.subject),
                       json_text(f.what), json_text(f.next));
  };
  return fmt::format("{{\"source\":{},\"reachable\":{},\"problem\":{},\"known_age_s\":{},\"partitions\":{},\"findings\":{}}}", json_text(report.source), report.reachable, json_text(report.problem), report.known() ? json_number(seconds(report.at_us - report.known_at_us)) : "null", list(clocks, clock), list(findings, finding));
}

Result<std::string> dashboard_json(const JobPage& page, const TimeWindow& window, bool live) {
  std::string series = "null";
  if (page.judge != nullptr && page.judge->sampled_us() > 0) {
    SUPYO_ASSIGN(series, series_json(*page.judge, window));
  }
  return fmt::format("{{\"live\":{},\"now_s\":{},\"job\":{},\"graph\":{},\"epochs\":{},\"results\":{},\"slo\":{},\"series\":{},\"loss\":{}}}", live, time_json(page.clock.now_us()), runtime::to_json(page.runner.stats()),
                     graph_json(page.runner), epochs_json(page.runner), page.newest != nullptr ? results_json(page.runner, *page.newest) : "null",
                     page.judge != nullptr ? slo_json(*page.judge) : "null", series, page.brokers != nullptr ? loss_json(*page.brokers->report()) : "null");
}

std::string_view dashboard_html() { return embedded::k_web_dist_dashboard_html; }

std::string recorded_dashboard(const JobPage& page) {
  TimeWindow window;
  if (page.judge != nullptr && page.judge->sampled_us() > 0) {
    window.from_s = -std::max(seconds(page.judge->sampled_us() - page.judge->started_us()), 60.0);
    window.step_s = std::max(1.0, std::ceil(-window.from_s / 2000));
  }
  static constexpr std::string_view kPlace = "<script type=\"application/json\" id=\"recorded\">";
  std::string html(dashboard_html());
  const std::size_t at = html.find(kPlace);
  const auto json = dashboard_json(page, window, false);
  if (at != std::string::npos && json) {
    std::string safe;   // names of the job and its nodes come from other writers: nothing may end the script
    for (const char c : *json) c == '<' ? safe += "\\u003c" : safe += c;
    html.insert(at + kPlace.size(), safe);
  }
  return html;
}

}  // namespace supyo::http
