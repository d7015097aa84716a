#include "lab/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "judge/slo/lag_rules.h"
#include "lab/report/style.h"
#include "lab/report/svg.h"
#include "lab/report/trials.h"
#include "lab/scenario/evaluate.h"
#include "lab/scenario/reckoning.h"

namespace supyo::report {
namespace {

using scenario::Arm;
using scenario::LabResult;
using scenario::Verdict;

constexpr int kWide = 1000, kNarrow = 400;

double value_of(const LabResult& r, std::string_view name) {
  const scenario::Measure* m = r.measure(name);
  return m == nullptr ? std::nan("") : m->value;
}

/// Consecutive samples with one class become one segment. A sample stands for the time since the one before.
template <class F>
std::vector<Segment> segments(const std::vector<double>& t, F classify) {
  std::vector<Segment> out;
  for (std::size_t i = 0; i < t.size(); ++i) {
    const std::pair<std::string, std::string> c = classify(i);
    const double from = i == 0 ? 0 : t[i - 1];
    if (!out.empty() && out.back().style == c.first && out.back().text == c.second) out.back().to_s = t[i];
    else out.push_back({from, t[i], c.first, c.second});
  }
  return out;
}

/// A value of a column of Burrow statuses as a segment of a strip.
std::pair<std::string, std::string> burrow_said(double status) {
  if (std::isnan(status)) return {"unknown", "no word"};
  const auto s = static_cast<slo::BurrowStatus>(status);
  return {s == slo::BurrowStatus::kOk ? "quiet" : s == slo::BurrowStatus::kWarning ? "risk" : "bad", std::string(slo::burrow_status_name(s))};
}

class Page {
 public:
  explicit Page(const LabResult& r) : r_(r), fault_(*r.fault_phase()) {
    axis_.t_s = &r.fault.t_s;
    axis_.end_s = r.phases.back().to_s;
    if (const auto it = r.config.find("fault"); it != r.config.end()) fault_text_ = it->second;
    const std::string point = fault_text_.substr(0, fault_text_.find(','));
    for (const auto& p : r.phases) axis_.bands.push_back({p.from_s, p.to_s, p.fault && !point.empty() && r.kind != "stream" ? fmt::format("{}: {}", p.name, point == "iceberg.commit.before" ? "the table commit is slow" : point) : p.name, p.fault});
    if (std::isfinite(r.t_spike_s)) axis_.marks.push_back({r.t_spike_s, "latency spiked", "spike"});
    if (std::isfinite(r.t_breach_s)) axis_.marks.push_back({r.t_breach_s, "objective broke", "breach"});
    if (std::isfinite(r.t_lag_alarm_s)) axis_.marks.push_back({r.t_lag_alarm_s, "lag alarm", "alarm"});
    for (const auto& o : r.objectives) if (o.measure == "end_to_end_latency" && latency_ == nullptr) latency_ = &o;
  }

  std::string render() {
    out_ = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n<meta name=\"generator\" content=\"Supyo\">\n";
    out_ += fmt::format("<title>{}: {}</title>\n<style>{}</style>\n</head>\n<body>\n{}", escape(r_.lab), verdict_name(r_.verdict), kStyle, kPatterns);
    header();
    out_ += "<main>\n";
    if (declared()) {
      if (r_.kind == "topic") who_lost();
      if (r_.kind == "replica") who_leads();
      if (r_.kind == "stream" && (r_.config.contains("promise to readers") || r_.config.contains("promise of freshness"))) readers_and_lag();
      if (r_.kind == "frontier") frontier();
      if (r_.kind == "trials") out_ += trials_section(r_);
      if (!r_.plots.empty()) declared_charts();
    } else {
      when();
      charts();
      waterfall();
      decision();
    }
    proof();
    configuration();
    out_ += "</main>\n";
    out_ += fmt::format("<footer><p>Made by Supyo {}. This page needs no network and runs no script; everything on it follows from <code>result.json</code> beside it, and the verdict can be worked out from that file again.</p></footer>\n",
                        escape(version()));
    return std::move(out_) + "</body>\n</html>\n";
  }

 private:
  std::string version() const {
    const auto it = r_.versions.find("supyo");
    return it == r_.versions.end() ? "" : it->second;
  }
  std::string after_fault(double t) const { return std::isfinite(t) ? "+" + value_text(t - fault_.from_s, "s") : "never"; }
  std::string at(double t) const { return std::isfinite(t) ? fmt::format("after the fault began; {} on the charts", clock_text(t)) : "not once in this run"; }

  /// The file says what the page shows.
  bool declared() const { return r_.kind != "pipeline"; }

  std::string headline() const {
    if (declared()) return r_.verdict == Verdict::kInvalid ? "This run proves nothing: a guard failed." : sentence(r_.why);
    if (r_.verdict == Verdict::kInvalid) return "This run proves nothing: a guard failed.";
    if (!std::isfinite(r_.t_breach_s)) return "The readers were not hurt: no objective broke.";
    if (!std::isfinite(r_.t_lag_alarm_s)) {
      return fmt::format("Readers were promised {} and did not get it {} into the fault. {}", latency_ == nullptr ? "an answer in time" : fmt::format("95 % within {}", value_text(latency_->threshold_s, "s")),
                         value_text(r_.t_breach_s - fault_.from_s, "s"), r_.lag_changed ? "Lag moved, but no lag alarm called." : "Consumer lag never moved, and no lag alarm called.");
    }
    return fmt::format("The objective broke {} into the fault; the lag alarm called {} into it.", value_text(r_.t_breach_s - fault_.from_s, "s"), value_text(r_.t_lag_alarm_s - fault_.from_s, "s"));
  }

  void header() {
    std::string percent = latency_ == nullptr ? "95" : fmt::format("{:g}", latency_->target * 100);
    std::string lead = headline();
    if (const auto p = lead.find("95 %"); p != std::string::npos) lead.replace(p, 2, percent);
    out_ += fmt::format("<header>\n<p class=\"kicker\">Supyo lab report &middot; {} &middot; {}, {} time &middot; seed {}</p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escape(r_.lab), r_.mode == "real" ? "on a real cluster" : "embedded", escape(r_.clock), r_.seed,
                        escape(r_.title.empty() ? r_.lab : r_.title), escape(lead));
    if (!r_.model.empty()) out_ += fmt::format("<p class=\"lead\"><strong>{}</strong></p>\n", escape(r_.model));
    const char* style = r_.verdict == Verdict::kConfirmed ? "confirmed" : r_.verdict == Verdict::kRefuted ? "refuted" : "invalid";
    out_ += fmt::format("<div class=\"verdict {}\"><span class=\"word\">{}</span><p><strong>Hypothesis.</strong> {} <span class=\"soft\">{}{}</span></p></div>\n", style, verdict_name(r_.verdict), escape(r_.hypothesis),
                        escape(sentence(r_.why)), r_.verdict == r_.expected ? "" : fmt::format(" This file predicts {}.", verdict_name(r_.expected)));
    out_ += "<ul class=\"tiles\">\n";
    if (declared()) return declared_tiles();
    tile("", "Latency spiked", after_fault(r_.t_spike_s), at(r_.t_spike_s));
    tile(std::isfinite(r_.t_breach_s) ? "bad" : "", "Objective broke", after_fault(r_.t_breach_s), at(r_.t_breach_s));
    tile("", "Lag would have called", after_fault(r_.t_lag_alarm_s), std::isfinite(r_.t_lag_alarm_s) ? at(r_.t_lag_alarm_s) : fmt::format("raw rule: never; Burrow: {}", std::isfinite(r_.t_burrow_s) ? after_fault(r_.t_burrow_s) : "never"));
    tile("", r_.lag_changed ? "Lag changed" : "Lag did not change", fmt::format("{}", count_text(value_of(r_, "lag_committed_max"))),
         fmt::format("records of committed lag at most, {} before the fault; blind for {}", count_text(value_of(r_, "baseline_lag_max")), value_text(r_.blind_s, "s")));
    out_ += "</ul>\n</header>\n";
  }
  static std::string sentence(std::string s) {
    if (!s.empty() && s[0] >= 'a' && s[0] <= 'z') s[0] = static_cast<char>(s[0] - 'a' + 'A');
    return s.empty() || s.back() == '.' ? s : s + ".";
  }
  void tile(std::string_view style, std::string_view name, std::string_view big, std::string_view note) {
    out_ += fmt::format("<li class=\"{}\"><span class=\"name\">{}</span><span class=\"big\">{}</span><span class=\"note\">{}</span></li>\n", style, escape(name), escape(big), escape(note));
  }

  void declared_tiles() {
    for (const scenario::Tile& t : r_.tiles) {
      const scenario::Measure* m = r_.measure(t.measure);
      tile("", t.name, m == nullptr ? "not measured" : value_text(m->value, m->unit), t.note);
    }
    out_ += "</ul>\n</header>\n";
  }

  /// Topic labs: when each group lost records, and what Burrow's rules said of it meanwhile.
  void who_lost() {
    const Arm& a = r_.fault;
    Strip s{"strip", "What was lost, and what lag said", fmt::format("For each group, when records were lost and what Burrow's rules said, over {}.", value_text(axis_.end_s, "s")), {}};
    std::vector<StripRow> truth, monitor;
    for (const slo::Column& c : a.columns) {
      if (c.name.starts_with("lost_")) {
        truth.push_back({c.name.substr(5), segments(a.t_s, [&](std::size_t i) -> std::pair<std::string, std::string> {
                           return i > 0 && c.values[i] > c.values[i - 1] ? std::pair<std::string, std::string>{"bad", "loses records"} : std::pair<std::string, std::string>{"ok", "loses nothing"};
                         })});
      }
      if (c.name.starts_with("burrow_")) {
        monitor.push_back({c.name.substr(7), segments(a.t_s, [&](std::size_t i) { return burrow_said(c.values[i]); })});
      }
    }
    s.groups = {{"What the group lost", truth}, {"What Burrow's rules said of it", monitor}};
    out_ += "<section aria-labelledby=\"h-when\">\n<h2 id=\"h-when\">Who lost records, and who said so</h2>\n<figure>\n<figcaption><p>The shaded stretch is the fault.</p></figcaption>\n";
    both([&](int width, std::string_view suffix) { return draw_strip(s, axis_, width, suffix); });
    out_ += "</figure>\n</section>\n";
  }

  /// Labs about a job: what readers had, and what lag alarms said meanwhile, in the arms where one of them says something.
  void readers_and_lag() {
    Strip s{"strip", "What readers had, and what lag said", fmt::format("For each arm, whether readers had what they were promised, and what the lag alarms said, over {}.", value_text(axis_.end_s, "s")), {}};
    std::vector<StripRow> readers, lag;
    for (const Arm* a : scenario::arms_of(r_)) {
      const auto *broken = column(*a, "slo_broken"), *raw = column(*a, "lag_alarm"), *burrow = column(*a, "burrow");
      if (broken == nullptr || raw == nullptr || burrow == nullptr) continue;
      const auto some = [](const std::vector<double>& v) { return std::ranges::any_of(v, [](double x) { return x > 0; }); };
      if (a != &r_.fault && a != &r_.control && !some(*broken) && !some(*raw)) continue;
      std::string name = a == &r_.fault ? "with the fault" : a == &r_.control ? "without" : a->name;
      std::ranges::replace(name, '_', ' ');
      readers.push_back({name, segments(a->t_s, [&](std::size_t i) -> std::pair<std::string, std::string> {
                           return (*broken)[i] == 1 ? std::pair<std::string, std::string>{"bad", "broken"} : std::pair<std::string, std::string>{"ok", "kept"};
                         })});
      lag.push_back({name + ", raw", segments(a->t_s, [&](std::size_t i) -> std::pair<std::string, std::string> {
                       return (*raw)[i] == 1 ? std::pair<std::string, std::string>{"bad", "alarm"} : std::pair<std::string, std::string>{"quiet", "silent"};
                     })});
      lag.push_back({name + ", Burrow", segments(a->t_s, [&](std::size_t i) { return burrow_said((*burrow)[i]); })});
    }
    s.groups = {{"What readers were promised", readers}, {"What lag alarms said", lag}};
    out_ += "<section aria-labelledby=\"h-when\">\n<h2 id=\"h-when\">What readers had, and what lag said</h2>\n<figure>\n<figcaption><p>The shaded stretch is the fault. Further arms are shown where a promise broke or the raw rule called.</p></figcaption>\n";
    both([&](int width, std::string_view suffix) { return draw_strip(s, axis_, width, suffix); });
    out_ += "</figure>\n</section>\n";
  }

  /// Labs about replicas: who led in each arm, and whether anything was acknowledged.
  void who_leads() {
    Strip s{"strip", "Who led, and whether anything was acknowledged", fmt::format("For each arm, the leader and the acknowledgements, over {}.", value_text(axis_.end_s, "s")), {}};
    std::vector<StripRow> leads, acks;
    std::vector<const Arm*> arms{&r_.fault, &r_.control};
    for (const Arm& a : r_.arms) arms.push_back(&a);
    for (const Arm* a : arms) {
      const auto* leader = column(*a, "leader");
      const auto* rate = column(*a, "ack_rate");
      if (leader == nullptr || rate == nullptr) continue;
      leads.push_back({a->name, segments(a->t_s, [&](std::size_t i) -> std::pair<std::string, std::string> {
                         const double l = (*leader)[i];
                         if (std::isnan(l)) return {"unknown", "over"};
                         return l == 0 ? std::pair<std::string, std::string>{"bad", "no leader"} : std::pair<std::string, std::string>{"ok", fmt::format("broker {:.0f}", l)};
                       })});
      acks.push_back({a->name, segments(a->t_s, [&](std::size_t i) -> std::pair<std::string, std::string> {
                        const double n = (*rate)[i];
                        if (std::isnan(n)) return {"unknown", "over"};
                        return n > 0 ? std::pair<std::string, std::string>{"quiet", "acknowledges"} : std::pair<std::string, std::string>{"bad", "nothing"};
                      })});
    }
    s.groups = {{"Who led, by arm (first trial)", leads}, {"Acknowledgements, by arm (first trial)", acks}};
    out_ += "<section aria-labelledby=\"h-when\">\n<h2 id=\"h-when\">Who led, and whether writers got through</h2>\n<figure>\n<figcaption><p>The shaded stretch is the fault of the first arm. What each arm orders is among the settings below.</p></figcaption>\n";
    both([&](int width, std::string_view suffix) { return draw_strip(s, axis_, width, suffix); });
    out_ += "</figure>\n</section>\n";
  }

  /// Labs about throughput against latency: one point for each setting, and the same in numbers.
  void frontier() {
    const Arm& a = r_.fault;
    Scatter s{"frontier", "Throughput against latency", "For each setting, the mean throughput and the 99th percentile of the time until a record is acknowledged.", "records/s", "s", {}};
    std::map<std::string, ScatterGroup> groups;
    std::string rows;
    for (const auto& [name, thr] : a.counts) {
      if (!name.starts_with("thr_") || name.ends_with("_low") || name.ends_with("_high")) continue;
      const std::string cell = name.substr(4);   // rf3_all_l100
      const auto p99 = a.counts.find("p99_" + cell);
      if (p99 == a.counts.end()) continue;
      const auto first = cell.find('_'), second = cell.find("_l");
      if (first == std::string::npos || second == std::string::npos) continue;
      const std::string replicas = cell.substr(2, first - 2), acks = cell.substr(first + 1, second - first - 1), linger = cell.substr(second + 2);
      const std::string group = fmt::format("acks={}, {} {}", acks, replicas, replicas == "1" ? "replica" : "replicas");
      groups[group].label = group;
      groups[group].points.push_back({thr, p99->second, linger + " ms"});
      const auto bound = [&](const char* what, const char* side) { const auto it = a.counts.find(fmt::format("{}_{}_{}", what, cell, side)); return it == a.counts.end() ? std::nan("") : it->second; };
      rows += fmt::format("<tr><th scope=\"row\">{}, linger {} ms</th><td class=\"n\">{}</td><td class=\"n\">{} to {}</td><td class=\"n\">{}</td><td class=\"n\">{} to {}</td></tr>\n", escape(group), escape(linger), count_text(thr), count_text(bound("thr", "low")),
                          count_text(bound("thr", "high")), value_text(p99->second, "s"), value_text(bound("p99", "low"), "s"), value_text(bound("p99", "high"), "s"));
    }
    for (auto& [name, group] : groups) s.groups.push_back(std::move(group));
    out_ += "<section aria-labelledby=\"h-when\">\n<h2 id=\"h-when\">The frontier</h2>\n<figure>\n<figcaption><p>Right is more throughput, down is less waiting. Each point is a linger in milliseconds; both axes are logarithmic.</p></figcaption>\n";
    both([&](int width, std::string_view suffix) { return draw_scatter(s, width, suffix); });
    out_ += "<table>\n<caption>The same in numbers, with 95 % intervals</caption>\n<thead><tr><th scope=\"col\">Setting</th><th scope=\"col\" class=\"n\">Records a second</th><th scope=\"col\" class=\"n\">interval</th><th scope=\"col\" class=\"n\">p99 until acknowledged</th>"
            "<th scope=\"col\" class=\"n\">interval</th></tr></thead>\n<tbody>\n" + rows + "</tbody>\n</table>\n</figure>\n</section>\n";
  }

  void declared_charts() {
    static constexpr const char* kStyles[] = {"l-one", "l-two", "l-ghost", "l-p99"};
    out_ += "<section aria-labelledby=\"h-series\">\n<h2 id=\"h-series\">What was measured, second by second</h2>\n";
    for (const scenario::Plot& p : r_.plots) {
      if (!p.x.empty()) {
        out_ += points_figure(r_, p);
        continue;
      }
      Chart c{p.id, p.title, p.note, p.unit, {}, {}};
      for (const scenario::PlotLine& l : p.lines) {
        const Arm* from = r_.arm(l.arm);
        if (from != nullptr && from->column(l.series) != nullptr) c.lines.push_back({l.label, kStyles[std::min<std::size_t>(c.lines.size(), 3)], column(*from, l.series), l.band});
      }
      if (!c.lines.empty()) chart(c, p.note);   // some are measured on real clusters only
    }
    out_ += "</section>\n";
  }

  template <class Draw>
  void both(Draw draw) {
    out_ += draw(kWide, "wide");
    out_ += draw(kNarrow, "narrow");
  }

  void when() {
    Strip s{"strip", "What the objectives said, and what lag said",
            fmt::format("State of each objective and of each lag alarm over {}. {}", value_text(axis_.end_s, "s"), headline()), {}};
    const Arm& a = r_.fault;
    std::vector<StripRow> objectives, lag;
    const slo::Column* state = a.column("state");
    if (state != nullptr) {
      objectives.push_back({"Decision", segments(a.t_s, [&](std::size_t i) -> std::pair<std::string, std::string> {
                              switch (static_cast<int>(std::isnan(state->values[i]) ? 3 : state->values[i])) {
                                case 0: return {"ok", "OK"};
                                case 1: return {"risk", "AT RISK"};
                                case 2: return {"bad", "INCIDENT"};
                                default: return {"unknown", "UNKNOWN"};
                              }
                            })});
    }
    for (const auto& o : r_.objectives) {
      const slo::Column* broken = a.column("breached:" + o.name);
      if (broken == nullptr) continue;
      objectives.push_back({o.title, segments(a.t_s, [&](std::size_t i) -> std::pair<std::string, std::string> {
                              if (std::isnan(broken->values[i])) return {"unknown", "not enough seen"};
                              return broken->values[i] == 1 ? std::pair<std::string, std::string>{"bad", "broken"} : std::pair<std::string, std::string>{"ok", "met"};
                            })});
      const slo::Column* now = a.column("now_bad_share:" + o.name);
      if (o.measure != "end_to_end_latency" || now == nullptr) continue;
      // The window stays red for its own length after the fix; the last minute alone shows when it really ended.
      objectives.push_back({"its last minute alone", segments(a.t_s, [&](std::size_t i) -> std::pair<std::string, std::string> {
                              if (std::isnan(now->values[i])) return {"unknown", "nothing seen"};
                              return now->values[i] > 1 - o.target ? std::pair<std::string, std::string>{"bad", "over budget"} : std::pair<std::string, std::string>{"ok", "within budget"};
                            })});
    }
    const std::vector<bool> raw = scenario::raw_alarm_strip(r_);
    lag.push_back({"Raw threshold", segments(a.t_s, [&](std::size_t i) -> std::pair<std::string, std::string> { return raw[i] ? std::pair<std::string, std::string>{"bad", "alarm"} : std::pair<std::string, std::string>{"quiet", "silent"}; })});
    if (const slo::Column* b = a.column("burrow")) {
      lag.push_back({"Burrow's rules", segments(a.t_s, [&](std::size_t i) { return burrow_said(b->values[i]); })});
    }
    s.groups = {{"What readers experience decides", objectives}, {"What lag would have said", lag}};
    out_ += "<section aria-labelledby=\"h-when\">\n<h2 id=\"h-when\">Who saw it, and when</h2>\n";
    out_ += "<figure>\n<figcaption><p>Objectives decide; lag is shown beside them and decides nothing. The shaded stretch is the fault.</p></figcaption>\n";
    both([&](int width, std::string_view suffix) { return draw_strip(s, axis_, width, suffix); });
    mark_legend();
    out_ += "</figure>\n</section>\n";
  }

  void mark_legend() {
    if (axis_.marks.empty()) return;
    out_ += "<ul class=\"legend\">\n";
    for (const Mark& m : axis_.marks) {
      out_ += fmt::format("<li><svg viewBox=\"0 0 34 12\" aria-hidden=\"true\" focusable=\"false\"><line class=\"mark {}\" x1=\"2\" x2=\"32\" y1=\"6\" y2=\"6\"/></svg>{} at {}</li>\n", m.style, escape(m.label), clock_text(m.t_s));
    }
    out_ += "</ul>\n";
  }

  void chart(const Chart& c, std::string_view note) {
    out_ += fmt::format("<figure>\n<figcaption><h3>{}</h3><p>{}</p></figcaption>\n<ul class=\"legend\">\n", escape(c.title), escape(note));
    for (const Line& l : c.lines) {
      if (l.values != nullptr) out_ += fmt::format("<li><svg viewBox=\"0 0 34 12\" aria-hidden=\"true\" focusable=\"false\">{}</svg>{}</li>\n",
                                                l.band ? fmt::format("<rect class=\"band {}\" x=\"1\" y=\"1\" width=\"32\" height=\"10\"/>", l.style) : fmt::format("<line class=\"line {}\" x1=\"2\" x2=\"32\" y1=\"6\" y2=\"6\"/>", l.style), escape(l.label));
    }
    out_ += "</ul>\n";
    both([&](int width, std::string_view suffix) { return draw_chart(c, axis_, width, suffix); });
    numbers(c);
    out_ += "</figure>\n";
  }

  /// The same picture in numbers: the median and the largest value of each line in each phase.
  void numbers(const Chart& c) {
    out_ += fmt::format("<table>\n<caption>Median and largest value by phase</caption>\n<thead><tr><th scope=\"col\">{}</th>", c.unit == "records" ? "Records" : c.unit == "B" ? "Bytes" : c.unit == "s" ? "Seconds" : escape(c.unit));
    for (const auto& p : r_.phases) out_ += fmt::format("<th scope=\"col\" class=\"n\">{}</th>", escape(p.name));
    out_ += "</tr></thead>\n<tbody>\n";
    for (const Line& l : c.lines) {
      if (l.values == nullptr) continue;
      out_ += fmt::format("<tr><th scope=\"row\">{}</th>", escape(l.label));
      for (const auto& p : r_.phases) {
        std::vector<double> v;
        for (std::size_t i = 0; i < axis_.t_s->size(); ++i) if ((*axis_.t_s)[i] > p.from_s && (*axis_.t_s)[i] <= p.to_s && !std::isnan((*l.values)[i])) v.push_back((*l.values)[i]);
        if (v.empty()) {
          out_ += "<td class=\"n\">no value</td>";
          continue;
        }
        std::sort(v.begin(), v.end());
        const auto show = [&](double x) { return c.unit != "s" ? count_text(x) : fmt::format("{:.2f}", x); };
        out_ += fmt::format("<td class=\"n\">{} &middot; {}</td>", show(v[v.size() / 2]), show(v.back()));
      }
      out_ += "</tr>\n";
    }
    out_ += "</tbody>\n</table>\n";
  }

  const std::vector<double>* column(const Arm& arm, std::string_view name) const {
    const slo::Column* c = arm.column(name);
    return c == nullptr || arm.t_s.size() != axis_.t_s->size() ? nullptr : &c->values;
  }

  void charts() {
    const Arm& a = r_.fault;
    const Arm& c = r_.control;
    out_ += "<section aria-labelledby=\"h-series\">\n<h2 id=\"h-series\">What was measured, second by second</h2>\n";
    std::vector<Threshold> latency, fresh;
    for (const auto& o : r_.objectives) {
      if (o.measure == "end_to_end_latency") latency.push_back({o.threshold_s, fmt::format("objective: {:g} % under {}", o.target * 100, value_text(o.threshold_s, "s"))});
      if (o.measure == "freshness") fresh.push_back({o.threshold_s, fmt::format("objective: {}", value_text(o.threshold_s, "s"))});
    }
    chart({"e2e", "End-to-end latency", "Quantiles of the last minute, from event time until the row can be read in the table, unfinished records at their age.", "s",
           {{"p50", "l-p50", column(a, "e2e_p50")}, {"p95", "l-p95", column(a, "e2e_p95")}, {"p99", "l-p99", column(a, "e2e_p99")}, {"p95 of the control arm (no fault)", "l-ghost", column(c, "e2e_p95")}}, latency},
          "From the moment a change happened until a reader of the table can see it: quantiles of the last minute. Records that are not visible yet count at their age.");
    chart({"lag", "Consumer lag", "Committed and fetched lag in records.", "records", {{"committed lag, lowest to highest", "l-lag", column(a, "lag_committed"), true}, {"fetched lag", "l-lag2", column(a, "lag_fetched")}},
           {{r_.raw_threshold, fmt::format("raw alarm: above {} for {}", count_text(r_.raw_threshold), value_text(r_.raw_hold_s, "s"))}}},
          "End of the log minus the position acknowledged upstream (committed), and minus the position read (fetched). The saw-tooth is the epoch interval.");
    chart({"fresh", "Freshness", "Age of the newest visible change, worst partition.", "s", {{"newest visible change, lowest to highest age", "l-one", column(a, "freshness"), true}}, fresh}, "Age of the newest change in the table, sampled each second, on the worst partition.");
    chart({"epoch", "Epoch duration and commit delay", "Seconds from an epoch's cut until it is durable, and from there until it is visible.", "s",
           {{"cut to durable (epoch duration)", "l-one", column(a, "epoch_duration")}, {"durable to visible (commit delay)", "l-two", column(a, "commit_delay")}}, {}},
          "The epoch itself stays quick: positions are acknowledged when it is durable, before the table shows it. That is why lag cannot see the delay.");
    chart({"age", "Seconds since the last commit", "Time since the table last changed.", "s", {{"since the last commit, lowest to highest", "l-one", column(a, "commit_age"), true}}, {}}, "Time since readers last got anything new.");
    out_ += "</section>\n";
  }

  void waterfall() {
    std::vector<Bar> bars;
    const auto bar = [&](const Arm& arm, const std::string& phase, const std::string& label) {
      const auto it = arm.waterfall.find(phase);
      if (it == arm.waterfall.end() || it->second.records == 0) return;
      const auto& w = it->second;
      bars.push_back({label, {{"source lateness", "w1", w.source_s}, {"wait in the log", "w2", w.log_s}, {"wait for the epoch to close", "w3", w.interval_s}, {"held until the watermark", "w4", w.watermark_s},
                              {"epoch becomes durable", "w5", w.epoch_s}, {"table commit", "w6", w.commit_s}}});
    };
    bar(r_.control, fault_.name, "control arm");
    bar(r_.fault, r_.phases.front().name, r_.phases.front().name);
    bar(r_.fault, fault_.name, fault_.name);
    if (bars.empty()) return;
    out_ += "<section aria-labelledby=\"h-where\">\n<h2 id=\"h-where\">Where the time goes</h2>\n<figure>\n<figcaption><p>The mean record's way from the event to the reader; the parts add up to its end-to-end latency.</p></figcaption>\n<ul class=\"legend\">\n";
    for (const Part& p : bars.front().parts) {
      if (std::none_of(bars.begin(), bars.end(), [&](const Bar& b) { return std::any_of(b.parts.begin(), b.parts.end(), [&](const Part& x) { return x.style == p.style && x.value > 0.0005; }); })) continue;
      out_ += fmt::format("<li><svg viewBox=\"0 0 34 12\" aria-hidden=\"true\" focusable=\"false\"><rect class=\"sw {}\" x=\"0\" y=\"0\" width=\"34\" height=\"12\"/></svg>{}</li>\n", p.style, escape(p.label));
    }
    out_ += "</ul>\n";
    both([&](int width, std::string_view suffix) {
      return draw_bars("where", "Mean latency by part", "Stacked bars of the mean end-to-end latency: control arm, baseline and fault.", bars, 0, "", width, suffix);
    });
    out_ += "<table>\n<caption>The same in seconds</caption>\n<thead><tr><th scope=\"col\">Part</th>";
    for (const Bar& b : bars) out_ += fmt::format("<th scope=\"col\" class=\"n\">{}</th>", escape(b.label));
    out_ += "</tr></thead>\n<tbody>\n";
    for (std::size_t p = 0; p < bars.front().parts.size(); ++p) {
      out_ += fmt::format("<tr><th scope=\"row\">{}</th>", escape(bars.front().parts[p].label));
      for (const Bar& b : bars) out_ += fmt::format("<td class=\"n\">{:.3f}</td>", b.parts[p].value);
      out_ += "</tr>\n";
    }
    out_ += "</tbody>\n</table>\n</figure>\n</section>\n";
  }

  void decision() {
    const scenario::Judgement* j = nullptr;
    for (const auto& x : r_.fault.judgements) if (x.t_s == fault_.to_s) j = &x;
    if (j == nullptr) return;
    const bool incident = j->state == "INCIDENT";
    out_ += fmt::format("<section aria-labelledby=\"h-decision\">\n<h2 id=\"h-decision\">The decision, and why</h2>\n<div class=\"decision\">\n<p>At the end of the fault ({}) the pipeline is <span class=\"state {}\">{}</span></p>\n<ul>\n",
                        clock_text(j->t_s), incident ? "bad" : "", escape(j->state));
    for (const std::string& reason : j->reasons) out_ += fmt::format("<li>{}</li>\n", escape(sentence(reason)));
    if (j->reasons.empty()) out_ += "<li>Every objective is met.</li>\n";
    out_ += "</ul>\n";
    for (const auto& t : j->tickets) out_ += fmt::format("<p><strong>What to look at: {}.</strong> {} <strong>Next step:</strong> {}</p>\n", escape(t.rule), escape(sentence(t.evidence)), escape(sentence(t.next_step)));
    if (incident && !std::isfinite(r_.t_lag_alarm_s)) {
      out_ += "<p class=\"soft\">Rule: lag normal while the end-to-end objective is broken is an incident. This run supports it with the numbers above.</p>\n";
    }
    out_ += "</div>\n</section>\n";
  }

  void proof() {
    out_ += "<section aria-labelledby=\"h-proof\">\n<h2 id=\"h-proof\">Why this can be believed</h2>\n";
    out_ += fmt::format("<p>The verdict was fixed before the run: <code>{}</code></p>\n", escape(r_.formula));
    if (std::ranges::any_of(r_.measures, [](const scenario::Measure& m) { return m.predicted.has_value(); })) {
      out_ += "<table class=\"stack\">\n<caption>Predicted before the run, measured in it</caption>\n<thead><tr><th scope=\"col\">Measure</th><th scope=\"col\" class=\"n\">Measured</th><th scope=\"col\" class=\"n\">Predicted</th><th scope=\"col\" class=\"n\">Allowed</th><th scope=\"col\">Holds</th></tr></thead>\n<tbody>\n";
      for (const auto& m : r_.measures) {
        if (!m.predicted) continue;
        const bool holds = m.value >= *m.low && m.value <= *m.high;
        out_ += fmt::format("<tr><th scope=\"row\"><code>{}</code></th><td class=\"n\" data-h=\"measured\">{}</td><td class=\"n\" data-h=\"predicted\">{}</td><td class=\"n\" data-h=\"allowed\">{} to {}</td><td class=\"{}\">{}</td></tr>\n", escape(m.name),
                            value_text(m.value, m.unit), value_text(*m.predicted, m.unit), value_text(*m.low, m.unit), value_text(*m.high, m.unit), holds ? "yes" : "no", holds ? "holds" : "does not hold");
      }
      out_ += "</tbody>\n</table>\n";
    }
    out_ += "<table class=\"stack\">\n<caption>Guards: if one fails, the run proves nothing</caption>\n<thead><tr><th scope=\"col\">Guard</th><th scope=\"col\">Result</th><th scope=\"col\">Evidence</th></tr></thead>\n<tbody>\n";
    for (const auto& g : r_.guards) {
      std::string name = g.name;
      std::replace(name.begin(), name.end(), '_', ' ');
      out_ += fmt::format("<tr><th scope=\"row\">{} {}</th><td class=\"{}\">{}</td><td>{}</td></tr>\n", escape(g.id), escape(name), g.ok ? "yes" : "no", g.ok ? "holds" : "fails", escape(g.why));
    }
    out_ += "</tbody>\n</table>\n";
    out_ += "<table>\n<caption>What happened in the fault arm</caption>\n<thead><tr><th scope=\"col\">Time</th><th scope=\"col\">Event</th></tr></thead>\n<tbody>\n";
    std::vector<std::pair<double, std::string>> events = r_.fault.timeline;
    events.emplace_back(fault_.from_s, fault_text_.empty() ? "fault begins" : fmt::format("fault begins ({})", fault_text_));
    events.emplace_back(fault_.to_s, "fault ends");
    if (std::isfinite(r_.t_lag_alarm_s)) events.emplace_back(r_.t_lag_alarm_s, "the raw lag rule alarms");
    std::stable_sort(events.begin(), events.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
    constexpr std::size_t kMost = 60;
    for (std::size_t i = 0; i < std::min(events.size(), kMost); ++i) out_ += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", clock_text(events[i].first), escape(events[i].second));
    if (events.size() > kMost) out_ += fmt::format("<tr><td></td><td>and {} more, in result.json</td></tr>\n", events.size() - kMost);
    out_ += "</tbody>\n</table>\n</section>\n";
  }

  void pairs(std::string_view caption, const std::map<std::string, std::string>& values) {
    out_ += fmt::format("<table class=\"pairs\">\n<caption>{}</caption>\n<tbody>\n", escape(caption));
    for (const auto& [k, v] : values) out_ += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(k), escape(v));
    out_ += "</tbody>\n</table>\n";
  }

  void configuration() {
    out_ += "<section aria-labelledby=\"h-config\">\n<h2 id=\"h-config\">What ran, and how to repeat it</h2>\n";
    if (!r_.repeat.empty()) out_ += fmt::format("<pre>{}</pre>\n", escape(r_.repeat));
    out_ += "<div class=\"cols\">\n<div>\n";
    std::map<std::string, std::string> objectives;
    for (const auto& o : r_.objectives) objectives[o.title] = o.sentence + " (" + o.role + ")";
    if (!objectives.empty()) pairs("Objectives", objectives);
    pairs("Versions", r_.versions);
    std::map<std::string, std::string> counts;
    std::vector<std::string> names{"sent", "acked", "failed", "unknown", "applied", "distinct", "late", "dead", "epochs", "epochs_failed", "unfinished"};
    if (r_.kind == "replica") names.insert(names.end(), {"trials", "lost", "duplicates", "truncated"});
    if (r_.kind == "stream") names.insert(names.end(), {"lost", "repeated", "restarts", "kills", "side", "silenced", "delayed", "window_input", "window_final", "windows", "windows_wrong", "window_updates"});
    if (r_.kind == "topic") {
      for (const auto& [name, value] : r_.fault.counts) if (!name.starts_with("t_first")) names.push_back(name);
    }
    for (const std::string& name : names) {
      const auto f = r_.fault.counts.find(name), c = r_.control.counts.find(name);
      if (f != r_.fault.counts.end() && c != r_.control.counts.end()) counts[name] = fmt::format("{}, control arm {}", count_text(f->second), count_text(c->second));
    }
    pairs("Ledger (records)", counts);
    out_ += "</div>\n<div>\n";
    pairs("Configuration", r_.config);
    out_ += "</div>\n</div>\n</section>\n";
  }

  const LabResult& r_;
  const scenario::PhaseSpan& fault_;
  const scenario::ObjectiveInfo* latency_ = nullptr;
  std::string fault_text_;
  TimeAxis axis_;
  std::string out_;
};

}  // namespace

std::string render_html(const LabResult& result) { return Page(result).render(); }

std::string render_text(const LabResult& r) {
  const scenario::PhaseSpan& fault = *r.fault_phase();
  const auto after = [&](double t) { return std::isfinite(t) ? value_text(t - fault.from_s, "s") + " after the fault began" : std::string("never"); };
  std::string out = fmt::format("{}: {}\n  hypothesis: {}\n  why: {}\n\n", r.lab, verdict_name(r.verdict), r.hypothesis, r.why);
  if (!r.model.empty()) out += fmt::format("  {}\n\n", r.model);
  if (r.kind != "pipeline") {
    for (const scenario::Tile& t : r.tiles) {
      const scenario::Measure* m = r.measure(t.measure);
      out += fmt::format("  {:<30} {}\n", t.name, m == nullptr ? "not measured" : value_text(m->value, m->unit));
    }
  } else {
    out += fmt::format("  latency spiked        {}\n  objective broke       {}\n  lag alarm             {}\n  Burrow's rules        {}\n", after(r.t_spike_s), after(r.t_breach_s), after(r.t_lag_alarm_s), after(r.t_burrow_s));
    out += fmt::format("  lag                   {} (at most {} records, {} before the fault)\n  lag was blind for     {}\n", r.lag_changed ? "changed" : "did not change", count_text(value_of(r, "lag_committed_max")),
                       count_text(value_of(r, "baseline_lag_max")), value_text(r.blind_s, "s"));
  }
  for (const auto& m : r.measures) {
    if (m.predicted) out += fmt::format("  {:<21} {} measured, {} predicted\n", m.name, value_text(m.value, m.unit), value_text(*m.predicted, m.unit));
  }
  std::string failed;
  for (const auto& g : r.guards) if (!g.ok) failed += fmt::format("  guard {} {} fails: {}\n", g.id, g.name, g.why);
  out += failed.empty() ? fmt::format("  guards                all {} hold\n", r.guards.size()) : failed;
  if (r.verdict != r.expected) out += fmt::format("  the scenario predicts {}\n", verdict_name(r.expected));
  return out;
}

}  // namespace supyo::report
