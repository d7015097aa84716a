#include "lab/report/trials.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lab/report/svg.h"

namespace supyo::report {
namespace {

using scenario::Arm;
using scenario::LabResult;
using scenario::Trial;

double value_of(const Trial& t, const std::string& name) {
  const auto it = t.values.find(name);
  return it == t.values.end() ? 0 : it->second;
}

/// Groups in the order of their first trial.
std::vector<std::string> groups_of(const LabResult& r) {
  std::vector<std::string> groups;
  for (const Trial& t : r.trials)
    if (t.arm == "fault" && std::ranges::find(groups, t.group) == groups.end()) groups.push_back(t.group);
  std::ranges::sort(groups);
  return groups;
}

std::string mark(std::size_t kind, double x, double y) {
  const std::string style = fmt::format("pt p{}", kind % 5);
  switch (kind % 5) {
    case 0: return fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"/>", style, x, y);
    case 1: return fmt::format("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"7.5\" height=\"7.5\"/>", style, x - 3.75, y - 3.75);
    case 2: return fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}l4.8 4.8l-4.8 4.8l-4.8 -4.8Z\"/>", style, x, y - 4.8);
    case 3: return fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}l4.8 8.4l-9.6 0Z\"/>", style, x, y - 5.2);
    default: return fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}l8 8m0 -8l-8 8\"/>", style, x - 4, y - 4);
  }
}

std::string tick_text(double v) { return v == std::floor(v) && v >= 0 ? count_text(v) : fmt::format("{:g}", v); }

/// "judge_delay_max" as people write it.
std::string words(std::string name) {
  std::ranges::replace(name, '_', ' ');
  return escape(name);
}

/// One trial's mark may hide another's: many have both values zero. The legend says how many.
std::string draw_points(const LabResult& r, const scenario::Plot& p, const std::vector<std::string>& groups, int width, std::string_view suffix) {
  const double height = 280, left = 62, right = width - 16, top = 12, bottom = height - 44;
  double most_x = 0, most_y = 0, least_y = 0;
  for (const Trial& t : r.trials) {
    if (t.arm != "fault") continue;
    most_x = std::max(most_x, value_of(t, p.x));
    most_y = std::max(most_y, value_of(t, p.y));
    least_y = std::min(least_y, value_of(t, p.y));
  }
  most_x = most_x <= 0 ? 1 : most_x * 1.06;
  most_y = most_y <= 0 ? 1 : most_y * 1.06;
  const auto x = [&](double v) { return left + 8 + (right - left - 8) * v / most_x; };
  const auto y = [&](double v) { return bottom - 8 - (bottom - top - 8) * (v - least_y) / (most_y - least_y); };
  std::string out = fmt::format("<svg class=\"{0}\" viewBox=\"0 0 {1} {2}\" role=\"img\" aria-labelledby=\"{3}-{0}-t {3}-{0}-d\"><title id=\"{3}-{0}-t\">{4}</title><desc id=\"{3}-{0}-d\">{5}</desc>\n", suffix, width, height, p.id,
                                escape(p.title), escape(p.note));
  for (const double v : axis_ticks(most_x, width > 600 ? 8 : 4))
    out += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/><text class=\"tick\" x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4}</text>\n", x(v), top, bottom, bottom + 16, tick_text(v));
  std::vector<double> ticks = axis_ticks(most_y - least_y, 5);
  const double step = ticks.at(1);
  std::erase_if(ticks, [&](double v) { return v > most_y; });
  for (double v = -step; v >= least_y; v -= step) ticks.push_back(v);
  for (const double v : ticks)
    out += fmt::format("<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/><text class=\"tick\" x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n", left, right, y(v), left - 6, y(v) + 4, tick_text(v));
  out += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"end\">{} to the right, {}{} upwards</text>\n", right, height - 6, words(p.x), words(p.y), p.unit.empty() ? "" : fmt::format(" ({})", escape(p.unit)));
  for (const Trial& t : r.trials) {
    if (t.arm != "fault") continue;
    const auto group = static_cast<std::size_t>(std::ranges::find(groups, t.group) - groups.begin());
    out += mark(group, x(value_of(t, p.x)), y(value_of(t, p.y))) + "\n";
  }
  return out + "</svg>\n";
}

std::string head_row(std::string_view first, const std::vector<std::string>& heads) {
  std::string out = fmt::format("<thead><tr><th scope=\"col\">{}</th>", first);
  for (const std::string& head : heads) out += fmt::format("<th scope=\"col\" class=\"n\">{}</th>", escape(head));
  return out + "</tr></thead>\n<tbody>\n";
}

/// `head` stands beside the number where there is no room for a head row.
std::string cell(std::string_view head, const double* value) {
  return fmt::format("<td class=\"n\" data-h=\"{}\">{}</td>", escape(head), value == nullptr ? "not measured" : count_text(*value));
}

using Columns = std::vector<std::pair<std::string, std::string>>;   // of a measure "NAME_ROW", and what stands above it

/// A row for each of `rows`, with its measures.
std::string table_of_measures(const LabResult& r, std::string_view caption, std::string_view first, const Columns& columns, const std::vector<std::string>& rows) {
  std::vector<std::string> heads;
  for (const auto& [name, head] : columns) heads.push_back(head);
  std::string out = fmt::format("<table class=\"stack\">\n<caption>{}</caption>\n", caption) + head_row(first, heads);
  for (const std::string& row : rows) {
    std::string end = row;
    std::ranges::replace(end, '-', '_');   // as measures are named
    out += fmt::format("<tr><th scope=\"row\">{}</th>", escape(row));
    for (const auto& [name, head] : columns) {
      const scenario::Measure* m = r.measure(fmt::format("{}_{}", name, end));
      out += cell(head, m == nullptr ? nullptr : &m->value);
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

std::string table_of_ends(const LabResult& r) {
  static const Columns kColumns{{"ends", "Ends"}, {"lost", "Lost"}, {"lost_max", "of one end at most"}, {"lost_ends", "Ends that lost"}, {"repeated", "Repeated"}, {"repeated_max", "of one end at most"}, {"in_flight_max", "In hand at most"}};
  return table_of_measures(r, "All ends together, by consumer", "Consumer", kColumns, groups_of(r));
}

/// Of many runs with a drawn trouble each: what the judge, and lag, made of them.
std::string table_of_labels(const LabResult& r) {
  static const Columns kColumns{{"runs", "Runs"}, {"episodes", "Broken promises"}, {"missed", "Missed by the judge"}, {"false", "False incidents"}, {"lag_unsaid", "Never said by the raw lag rule"},
                                {"lag_false", "its false calls"}, {"burrow_unsaid", "Never said by Burrow's rules"}, {"burrow_false", "their false calls"}};
  std::vector<std::string> labels;
  for (const Trial& t : r.trials)
    if (std::ranges::find(labels, t.group) == labels.end()) labels.push_back(t.group);
  std::ranges::sort(labels);
  return table_of_measures(r, "What was said, by what was drawn", "Drawn", kColumns, labels);
}

using Rows = std::vector<std::pair<const char*, const char*>>;

/// Of a lab about a producer, or about members of a group; of others none.
Rows rows_of_arms(const LabResult& r) {
  if (r.fault.counts.contains("expired"))
    return {{"sent", "Sent"}, {"acked", "Acknowledged"}, {"failed", "Failed"}, {"refused", "of these refused by the client's queue"}, {"unknown", "Unknown"},
            {"kept", "of these in the topic"}, {"missing", "Acknowledged and not in the topic"}, {"repeated", "Repeated in the topic"}, {"inversions", "Out of order"}};
  if (r.fault.counts.contains("evictions"))
    return {{"sent", "Sent"}, {"acked", "Acknowledged"}, {"lost", "Acknowledged and never handled"}, {"repeated", "Handled again"}, {"uncommitted", "Handled and not committed"}, {"refused", "Commits refused"}, {"evictions", "Members that left"},
            {"late", "that say they were late to poll"}, {"pingpong", "at one offset, at most"}, {"pingpong_clients", "of so many clients"}};
  return {};
}

std::string table_of_arms(const LabResult& r, const Rows& rows) {
  std::vector<const Arm*> arms{&r.fault};
  for (const Arm& a : r.arms) arms.push_back(&a);
  arms.push_back(&r.control);
  std::vector<std::string> heads;
  for (const Arm* a : arms) heads.push_back(a->name);
  std::string out = "<table class=\"stack\">\n<caption>Records, by arm; what each arm does is among the settings below</caption>\n" + head_row("Records", heads);
  for (const auto& [name, label] : rows) {
    out += fmt::format("<tr><th scope=\"row\">{}</th>", label);
    for (const Arm* a : arms) {
      const auto it = a->counts.find(name);
      out += cell(a->name, it == a->counts.end() ? nullptr : &it->second);
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

}  // namespace

std::string trials_section(const LabResult& r) {
  const Rows rows = rows_of_arms(r);
  const auto has = [&r](const char* value) { return !r.trials.empty() && r.trials[0].values.contains(value); };
  const std::string tables = (has("lost") ? table_of_ends(r) : has("judge_missed") ? table_of_labels(r) : "") + (rows.empty() ? "" : table_of_arms(r, rows));
  return tables.empty() ? "" : fmt::format("<section aria-labelledby=\"h-when\">\n<h2 id=\"h-when\">What it came to</h2>\n{}</section>\n", tables);
}

std::string points_figure(const LabResult& r, const scenario::Plot& p) {
  const std::vector<std::string> groups = groups_of(r);
  std::string out = fmt::format("<figure>\n<figcaption><h3>{}</h3><p>{}</p></figcaption>\n<ul class=\"legend\">\n", escape(p.title), escape(p.note));
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto origin = std::ranges::count_if(r.trials, [&](const Trial& t) { return t.arm == "fault" && t.group == groups[g] && value_of(t, p.x) == 0 && value_of(t, p.y) == 0; });
    out += fmt::format("<li><svg viewBox=\"0 0 12 12\" aria-hidden=\"true\" focusable=\"false\">{}</svg>{}{}</li>\n", mark(g, 6, 6), escape(groups[g]), origin == 0 ? "" : fmt::format(" ({} at zero)", origin));
  }
  out += "</ul>\n";
  out += draw_points(r, p, groups, 1000, "wide");
  out += draw_points(r, p, groups, 400, "narrow");
  return out + "</figure>\n";
}

}  // namespace supyo::report
