#include <fmt/format.h>

#include <algorithm>

#include "core/base/human_duration.h"
#include "serve/watch/report.h"
#include "serve/watch/screen.h"

namespace supyo::watch {
namespace {

using Line = Pages::Line;
using Style = Pages::Style;
constexpr std::size_t kFilterMost = 200;
constexpr std::size_t kNameMost = 40;          // bytes of a name in a table
constexpr std::size_t kFindingMost = 2000;

Style style_of(Health health) {
  switch (health) {
    case Health::kOk: return Style::kGood;
    case Health::kAtRisk: return Style::kRisk;
    case Health::kIncident: return Style::kBad;
    case Health::kUnknown: return Style::kUnknown;
  }
  return Style::kPlain;
}

Style style_of(diagnosis::Severity severity) {
  return severity == diagnosis::Severity::kIncident ? Style::kBad : severity == diagnosis::Severity::kTicket ? Style::kRisk : Style::kDim;
}

std::vector<diagnosis::Finding> all_findings(const Report& report) {
  std::vector<diagnosis::Finding> all = report.cluster;
  for (const GroupReport& g : report.groups) all.insert(all.end(), g.findings.begin(), g.findings.end());
  diagnosis::rank(all);
  return all;
}

/// In lines of at most `width`, broken at spaces; the ones after the first begin with `indent` of them.
void add_wrapped(std::vector<Line>& out, std::string_view text, Style style, std::size_t indent, std::size_t width) {
  std::string line;
  while (line.size() + text.size() > width) {
    const std::size_t room = width > line.size() ? width - line.size() : 1;
    std::size_t cut = text.substr(0, room + 1).rfind(' ');
    if (cut == std::string_view::npos || cut == 0) cut = std::min(room, text.size());
    out.push_back({line + std::string(text.substr(0, cut)), style});
    text.remove_prefix(cut);
    if (text.starts_with(' ')) text.remove_prefix(1);
    line.assign(std::min(indent, width / 2), ' ');
  }
  out.push_back({line + std::string(text), style});
}

void add_findings(std::vector<Line>& out, const Report& r, const std::vector<diagnosis::Finding>& findings, std::size_t width) {
  for (const diagnosis::Finding& f : findings) {
    add_wrapped(out, fmt::format("{:<9} {}: {}", diagnosis::severity_name(f.severity), plain(f.subject, kFindingMost), plain(f.what, kFindingMost)), style_of(f.severity), 10, width);
    add_wrapped(out, "          -> " + plain(f.next, kFindingMost), Style::kPlain, 13, width);
  }
  if (findings.empty() && r.known()) out.push_back({r.reachable ? "nothing found" : "nothing was found", r.reachable ? Style::kPlain : Style::kUnknown});
}

/// Of a long name the end is cut, never the partition's number.
std::string place_text(const std::string& topic, std::int32_t partition, std::size_t width) {
  const std::string number = "/" + std::to_string(partition);
  return plain(topic, width > number.size() ? width - number.size() : 1) + number;
}

std::string verdict_text(const Report& r) {
  if (!r.reachable) return fmt::format("UNKNOWN  {}  {}", r.source, plain(r.problem));
  return fmt::format("{}  {}  {} groups, {} topics, {} partitions  watched for {}", health_name(r.worst()), r.source, r.groups.size(), r.topics, r.partitions, human_duration(r.watched_for_us));
}

const std::vector<std::string>& help() {
  static const std::vector<std::string> lines{"up, down, j, k    move; PgUp, PgDn by pages",
                                              "Enter             open the group: its partitions, forecasts and findings",
                                              "Esc               back; clears the filter",
                                              "/                 filter groups by name",
                                              "g  f  J           groups, findings of all, Flink jobs",
                                              "s                 sort groups: by urgency, by lag, by name",
                                              "?                 this page",
                                              "q                 leave",
                                              "",
                                              "LOSES IN: when the first unread record will be deleted, at the measured rates; in brackets, if the consumer stopped now.",
                                              "ALARMS: what lag alarms would say (Burrow, retention percentage, messages-lost gauge). They decide nothing here."};
  return lines;
}

}  // namespace

void Pages::go(Page page) {
  page_ = page;
  row_ = 0;
}

std::vector<const GroupReport*> Pages::shown(const Report& report) const {
  std::vector<const GroupReport*> all;
  for (const GroupReport& g : report.groups)
    if (filter_.empty() || g.name.find(filter_) != std::string::npos) all.push_back(&g);
  if (sort_ == Sort::kLag) std::ranges::stable_sort(all, [](const auto* a, const auto* b) { return a->lag > b->lag; });
  if (sort_ == Sort::kName) std::ranges::stable_sort(all, [](const auto* a, const auto* b) { return a->name < b->name; });
  return all;
}

std::size_t Pages::rows(const Report& report) const {
  switch (page_) {
    case Page::kGroups: return shown(report).size();
    case Page::kGroup: {
      const auto g = std::ranges::find(report.groups, group_, &GroupReport::name);
      return g == report.groups.end() ? 0 : g->partitions.size();
    }
    case Page::kFindings: {
      std::vector<Line> all;
      add_findings(all, report, all_findings(report), width_);
      return all.size() + report.problems.size();
    }
    case Page::kJobs: return report.jobs.size();
    case Page::kHelp: return help().size();
  }
  return 0;
}

bool Pages::press(Key key, char character, const Report& report) {
  if (typing_) {
    if (key == Key::kCharacter && filter_.size() < kFilterMost) filter_ += character;
    if (key == Key::kBackspace && !filter_.empty()) filter_.pop_back();
    if (key == Key::kEscape) filter_.clear();
    if (key == Key::kEscape || key == Key::kEnter) typing_ = false;
    row_ = 0;
    return true;
  }
  const std::size_t count = rows(report);
  const auto move = [&](std::ptrdiff_t by) { row_ = count == 0 ? 0 : static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(row_) + by, 0, static_cast<std::ptrdiff_t>(count) - 1)); };
  constexpr std::ptrdiff_t kPageful = 20;
  switch (key) {
    case Key::kUp: move(-1); return true;
    case Key::kDown: move(1); return true;
    case Key::kPageUp: move(-kPageful); return true;
    case Key::kPageDown: move(kPageful); return true;
    case Key::kEnter:
      if (const auto all = shown(report); page_ == Page::kGroups && row_ < all.size()) {
        group_ = all[row_]->name;
        go(Page::kGroup);
      }
      return true;
    case Key::kEscape:
      if (page_ == Page::kGroups) filter_.clear();
      go(Page::kGroups);
      return true;
    case Key::kBackspace: return true;
    case Key::kCharacter: break;
  }
  switch (character) {
    case 'q': return false;
    case 'j': move(1); break;
    case 'k': move(-1); break;
    case 'g': go(Page::kGroups); break;
    case 'f': go(Page::kFindings); break;
    case 'J': go(Page::kJobs); break;
    case '?': go(Page::kHelp); break;
    case 's': sort_ = sort_ == Sort::kUrgency ? Sort::kLag : sort_ == Sort::kLag ? Sort::kName : Sort::kUrgency; break;
    case '/':
      go(Page::kGroups);
      typing_ = true;
      filter_.clear();
      break;
    default: break;
  }
  return true;
}

std::vector<Line> Pages::lines(const Report& r, int width, int height) const {
  width_ = static_cast<std::size_t>(std::max(1, width));
  std::vector<Line> head, body, foot;
  add_wrapped(head, verdict_text(r), style_of(r.worst()), 9, width_);
  if (!r.reachable && r.known()) add_wrapped(head, last_known_text(r), Style::kUnknown, 9, width_);
  std::size_t names = 5;
  for (const GroupReport& g : r.groups) names = std::max(names, std::min(kNameMost, g.name.size()));
  const std::size_t healths = r.reachable ? 8 : 12;   // "was INCIDENT"
  switch (page_) {
    case Page::kGroups:
      // What decides stands first: a narrow terminal cuts the rest.
      head.push_back({fmt::format("{:<{}} {:<{}} {:<21} {:>9} {:>13} {:>10} {:>9} {:>9} {:>7}  {}", "GROUP", names, "HEALTH", healths, "LOSES IN (IF STOPPED)", "LOST", "OLDEST UNREAD", "LAG", "IN/S", "READ/S", "MEMBERS", "ALARMS"), Style::kHeader});
      for (const GroupReport* g : shown(r))
        body.push_back({fmt::format("{:<{}} {:<{}} {:<21} {:>9} {:>13} {:>10} {:>9.1f} {:>9.1f} {:>7}  {} {} {}", plain(g->name, names), names, health_text(r, *g), healths, loss_text(*g, r.at_us), g->lost + g->exposed, age_text(g->oldest_unread_s), g->lag, g->append_rate, g->read_rate,
                                    g->members < 0 ? "?" : std::to_string(g->members), slo::burrow_status_name(g->burrow), slo::alarm_level_name(g->retention_percent), slo::alarm_level_name(g->messages_lost)), style_of(g->health)});
      break;
    case Page::kGroup: {
      const auto g = std::ranges::find(r.groups, group_, &GroupReport::name);
      if (g == r.groups.end()) {
        head.push_back({fmt::format("group {} is not there any more", plain(group_)), Style::kUnknown});
        break;
      }
      head.push_back({fmt::format("group {}  {}  {}  {} members", plain(g->name), health_text(r, *g), g->state, g->members < 0 ? "?" : std::to_string(g->members)), style_of(g->health)});
      add_findings(head, r, {g->findings.begin(), g->findings.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(g->findings.size(), 4))}, width_);
      if (const auto most = static_cast<std::size_t>(std::max(3, height / 2)); head.size() > most) head.resize(most);   // the partitions have the other half
      std::size_t places = 9;
      for (const auto& p : g->partitions) places = std::max(places, std::min(kNameMost, p.topic.size() + 1 + std::to_string(p.partition).size()));
      head.push_back({fmt::format("{:<{}} {:<21} {:>9} {:>13} {:>10} {:>12} {:>12} {:>12} {:>9} {:>9}  {}", "PARTITION", places, "LOSES IN (IF STOPPED)", "LOST", "OLDEST UNREAD", "LAG", "COMMITTED", "LOG START", "END", "IN/S", "READ/S", "OWNER"), Style::kHeader});
      for (const auto& p : g->partitions) {
        const GroupReport one{.name = {}, .state = {}, .limiting = p.forecast};
        body.push_back({fmt::format("{:<{}} {:<21} {:>9} {:>13} {:>10} {:>12} {:>12} {:>12} {:>9.1f} {:>9.1f}  {}", place_text(p.topic, p.partition, places), places, loss_text(one, r.at_us), p.lost, age_text(p.oldest_unread_s), std::max<std::int64_t>(0, p.end - std::max<std::int64_t>(0, p.committed)),
                                    p.committed < 0 ? "-" : std::to_string(p.committed), p.log_start, p.end, p.append_rate, p.read_rate, plain(p.owner, 40)), p.forecast.state == diagnosis::LossState::kExposed ? Style::kBad : p.forecast.state == diagnosis::LossState::kComing ? Style::kRisk : Style::kPlain});
      }
      break;
    }
    case Page::kFindings:
      head.push_back({"FINDINGS", Style::kHeader});
      add_findings(body, r, all_findings(r), width_);
      for (const std::string& p : r.problems) body.push_back({"not asked: " + plain(p), Style::kUnknown});
      break;
    case Page::kJobs:
      head.push_back({fmt::format("{:<40} {:<11} {:>8} {:>12} {:>7} {:>14} {}", "JOB", "STATE", "RESTARTS", "CHECKPOINTS", "FAILED", "LAST TOOK", "BUSIEST"), Style::kHeader});
      for (const connect::FlinkJob& j : r.jobs) {
        const auto busiest = std::ranges::max_element(j.vertices, {}, &connect::FlinkJob::Vertex::busy);
        body.push_back({fmt::format("{:<40} {:<11} {:>8} {:>12} {:>7} {:>14} {}", plain(j.name, 40), j.state, j.restarts ? std::to_string(*j.restarts) : "?", j.checkpoints_completed, j.checkpoints_failed, age_text(j.last_checkpoint_s), busiest == j.vertices.end() ? "" : fmt::format("{} {:.0f} %", plain(busiest->name, 30), 100 * busiest->busy)),
                        !r.reachable ? Style::kUnknown : j.running() ? Style::kGood : Style::kBad});
      }
      if (r.jobs.empty()) body.push_back({"none; --flink URL asks a Flink cluster", Style::kDim});
      break;
    case Page::kHelp:
      head.push_back({"HELP", Style::kHeader});
      for (const std::string& text : help()) body.push_back({text});
      break;
  }
  if (typing_ || !filter_.empty()) foot.push_back({fmt::format("/{}{}", plain(filter_), typing_ ? "_" : ""), Style::kTitle});
  foot.push_back({"Enter open  Esc back  / filter  g groups  f findings  J jobs  ? help  q quit", Style::kDim});

  // The selected row stays in sight.
  const auto room = static_cast<std::size_t>(std::max<std::ptrdiff_t>(1, height - static_cast<std::ptrdiff_t>(head.size() + foot.size())));
  const std::size_t selected = body.empty() ? 0 : std::min(row_, body.size() - 1);
  const std::size_t top = selected < room ? 0 : selected - room + 1;
  std::vector<Line> out = std::move(head);
  for (std::size_t i = top; i < std::min(body.size(), top + room); ++i) {
    body[i].selected = i == selected && page_ != Page::kHelp;
    out.push_back(std::move(body[i]));
  }
  while (out.size() + foot.size() < static_cast<std::size_t>(height)) out.push_back({});
  for (Line& l : foot) out.push_back(std::move(l));
  if (out.size() > static_cast<std::size_t>(height)) out.resize(static_cast<std::size_t>(height));
  for (Line& l : out)
    if (l.text.size() > static_cast<std::size_t>(width)) l.text.resize(static_cast<std::size_t>(width));
  return out;
}

}  // namespace supyo::watch
