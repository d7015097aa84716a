#include "lab/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace supyo::report {
namespace {

constexpr int kTop = 10, kBottom = 26;
constexpr double kTextWidth = 6.6;   // of a 12-unit letter, about: to see whether a label fits

double text_width(std::string_view s) {
  const auto capitals = std::count_if(s.begin(), s.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return kTextWidth * static_cast<double>(s.size()) + 2.2 * static_cast<double>(capitals);
}

/// An attribute that draws a text narrower when it would not fit into `room`: names of objectives come from users.
std::string squeezed(std::string_view text, double room) {
  return text_width(text) <= room ? "" : fmt::format(" textLength=\"{:.0f}\" lengthAdjust=\"spacingAndGlyphs\"", room);
}

struct Frame {
  double left = 0, right = 0, top = 0, bottom = 0, end_s = 1;
  double x(double t) const { return left + (right - left) * t / end_s; }
};

std::string open(int width, int height, std::string_view id, std::string_view suffix, std::string_view title, std::string_view description) {
  return fmt::format("<svg class=\"{2}\" viewBox=\"0 0 {0} {1}\" role=\"img\" aria-labelledby=\"{3}-{2}-t {3}-{2}-d\"><title id=\"{3}-{2}-t\">{4}</title><desc id=\"{3}-{2}-d\">{5}</desc>\n", width, height, suffix, id,
                     escape(title), escape(description));
}

std::string bands_and_marks(const Frame& f, const TimeAxis& axis) {
  std::string out;
  for (const Band& b : axis.bands) {
    if (!b.fault) continue;
    out += fmt::format("<rect class=\"fault\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n", f.x(b.from_s), f.top, f.x(b.to_s) - f.x(b.from_s), f.bottom - f.top);
  }
  for (const Mark& m : axis.marks) out += fmt::format("<line class=\"mark {}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", m.style, f.x(m.t_s), f.x(m.t_s), f.top, f.bottom);
  return out;
}

std::string time_axis(const Frame& f, const TimeAxis& axis, int width) {
  // Steps of whole minutes (or seconds in a short run), as many as there is room for.
  static constexpr double kSteps[] = {1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 600, 900, 1800, 3600, 7200, 21'600, 86'400};
  const double most = width > 600 ? 12 : 5;
  double step = kSteps[std::size(kSteps) - 1];
  for (const double s : kSteps) if (axis.end_s / s <= most) { step = s; break; }
  std::string out = fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>\n", f.left, f.right, f.bottom);
  for (double t = 0; t <= axis.end_s + 1e-9; t += step) {
    const char* anchor = t == 0 ? "start" : t + step > axis.end_s && f.x(t) > f.right - 20 ? "end" : "middle";
    out += fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/><text class=\"tick\" x=\"{0:.1f}\" y=\"{3:.1f}\" text-anchor=\"{4}\">{5}</text>\n", f.x(t), f.bottom,
                       f.bottom + 4, f.bottom + 18, anchor, clock_text(t));
  }
  return out;
}

/// A polyline of at most two points a pixel pair: the lowest and the highest of each bucket, in their order. Gaps stay gaps.
std::string path(const Frame& f, const std::vector<double>& t, const std::vector<double>& v, double most) {
  const auto y = [&](double value) { return f.bottom - (f.bottom - f.top) * std::min(value / most, 1.02); };
  const auto buckets = static_cast<std::size_t>((f.right - f.left) / 1.6);
  const std::size_t per = std::max<std::size_t>(1, t.size() / std::max<std::size_t>(buckets, 1));
  std::string out;
  bool pen = false;
  for (std::size_t i = 0; i < t.size(); i += per) {
    const std::size_t end = std::min(t.size(), i + per);
    std::size_t low = end, high = end;
    for (std::size_t k = i; k < end; ++k) {
      if (std::isnan(v[k])) continue;
      if (low == end || v[k] < v[low]) low = k;
      if (high == end || v[k] > v[high]) high = k;
    }
    if (low == end) {
      pen = false;
      continue;
    }
    const auto point = [&](std::size_t k) {
      out += fmt::format("{}{:.1f} {:.1f}", pen ? "L" : "M", f.x(t[k]), y(v[k]));
      pen = true;
    };
    point(std::min(low, high));
    if (low != high && std::abs(y(v[low]) - y(v[high])) > 0.3) point(std::max(low, high));
  }
  return out;
}

/// A line that swings within a bucket, drawn as the band it sweeps: a saw-tooth of three seconds has no shape at this scale, its bounds have.
std::string band(const Frame& f, const std::vector<double>& t, const std::vector<double>& v, double most) {
  const auto y = [&](double value) { return f.bottom - (f.bottom - f.top) * std::min(value / most, 1.02); };
  const std::size_t per = std::max<std::size_t>(8, t.size() / 180);
  std::string out;
  std::vector<std::array<double, 3>> run;  // x, highest, lowest
  const auto flush = [&] {
    if (run.size() > 1) {
      std::string upper, lower;
      for (std::size_t i = 0; i < run.size(); ++i) upper += fmt::format("{}{:.1f} {:.1f}", i == 0 ? "M" : "L", run[i][0], y(run[i][1]));
      for (std::size_t i = run.size(); i > 0; --i) lower += fmt::format("L{:.1f} {:.1f}", run[i - 1][0], y(run[i - 1][2]));
      out += upper + lower + "Z";
    }
    run.clear();
  };
  for (std::size_t i = 0; i < t.size(); i += per) {
    double low = std::nan(""), high = std::nan("");
    const std::size_t end = std::min(t.size(), i + per);
    for (std::size_t k = i; k < end; ++k) {
      if (std::isnan(v[k])) continue;
      if (!(v[k] >= low)) low = v[k];
      if (!(v[k] <= high)) high = v[k];
    }
    if (std::isnan(low)) flush();
    else run.push_back({f.x(t[(i + end - 1) / 2]), high, low});
  }
  flush();
  return out;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
    }
  }
  return out;
}

std::string clock_text(double seconds) {
  const auto s = static_cast<long>(std::llround(seconds));
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60) : fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string count_text(double value) {
  if (!std::isfinite(value)) return "not measured";
  std::string digits = fmt::format("{:.0f}", std::abs(value));
  for (int i = static_cast<int>(digits.size()) - 3; i > 0; i -= 3) digits.insert(static_cast<std::size_t>(i), ",");
  return (value < 0 ? "-" : "") + digits;
}

namespace {
/// Two decimals at most, none that is zero.
std::string trimmed(double v) {
  std::string s = fmt::format("{:.2f}", v);
  while (s.back() == '0') s.pop_back();
  if (s.back() == '.') s.pop_back();
  return s;
}
}  // namespace

std::string value_text(double value, std::string_view unit) {
  if (std::isnan(value)) return "not measured";
  if (std::isinf(value)) return "never";
  if (unit == "s") {
    if (std::abs(value) < 1 && value != 0) return fmt::format("{:.0f} ms", value * 1000);
    if (std::abs(value) < 60) return trimmed(value) + " s";
    const auto s = static_cast<long>(std::llround(value));
    return s % 60 == 0 ? fmt::format("{} min", s / 60) : fmt::format("{} min {} s", s / 60, s % 60);
  }
  if (unit == "records") return count_text(value);
  if (unit == "B") return value < 1024 * 1024 ? count_text(value) + " B" : trimmed(value / (1024 * 1024)) + " MiB";
  if (unit == "records/s") return count_text(value) + " /s";
  if (unit == "share") return fmt::format("{:.2f} %", value * 100);
  return fmt::format("{:g}", value);
}

std::vector<double> axis_ticks(double most, int ticks) {
  if (!(most > 0)) most = 1;
  const double raw = most / ticks;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double s : {1.0, 2.0, 2.5, 5.0}) if (s * power >= raw) { step = s * power; break; }
  std::vector<double> out;
  for (double v = 0; v <= most * 1.0001; v += step) out.push_back(v);
  return out;
}

std::string draw_chart(const Chart& chart, const TimeAxis& axis, int width, std::string_view suffix) {
  const int height = width > 600 ? 210 : 190;
  const bool counts = chart.unit != "s" && chart.unit != "B";
  const Frame f{counts || chart.unit == "B" ? 62.0 : 44.0, static_cast<double>(width - 10), kTop, static_cast<double>(height - kBottom), axis.end_s};
  double most = 0;
  for (const Line& l : chart.lines) if (l.values != nullptr) for (const double v : *l.values) if (!std::isnan(v)) most = std::max(most, v);
  for (const Threshold& t : chart.thresholds) if (std::isfinite(t.value)) most = std::max(most, t.value * 1.04);
  most = most <= 0 ? 1 : most * 1.06;
  std::string out = open(width, height, chart.id, suffix, chart.title, chart.description);
  out += bands_and_marks(f, axis);
  const auto y = [&](double v) { return f.bottom - (f.bottom - f.top) * v / most; };
  for (const double v : axis_ticks(most, 4)) {
    out += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/><text class=\"tick\" x=\"{3:.1f}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n", f.left, f.right, y(v), f.left - 6,
                       y(v) + 4, counts ? count_text(v) : chart.unit == "B" ? value_text(v, "B") : fmt::format("{:g}{}", v, v == 0 ? "" : " s"));
  }
  out += time_axis(f, axis, width);
  for (const Line& l : chart.lines) {
    if (l.values == nullptr) continue;
    out += fmt::format("<path class=\"{} {}\" d=\"{}\"/>\n", l.band ? "band" : "line", l.style, l.band ? band(f, *axis.t_s, *l.values, most) : path(f, *axis.t_s, *l.values, most));
  }
  for (const Threshold& t : chart.thresholds) {
    if (!std::isfinite(t.value)) continue;
    out += fmt::format("<line class=\"limit\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/><text class=\"limit-label\" x=\"{3:.1f}\" y=\"{4:.1f}\">{5}</text>\n", f.left, f.right, y(t.value), f.left + 5,
                       y(t.value) - 5, escape(t.label));
  }
  return out + "</svg>\n";
}

std::string draw_strip(const Strip& strip, const TimeAxis& axis, int width, std::string_view suffix) {
  const bool narrow = width <= 600;
  const int bar = 20, gap = narrow ? 22 : 8, group_gap = narrow ? 16 : 26;
  int height = 34;
  for (const auto& [name, rows] : strip.groups) height += group_gap + static_cast<int>(rows.size()) * (bar + gap);
  height += kBottom;
  const Frame f{narrow ? 6.0 : 168.0, static_cast<double>(width - 10), 26, static_cast<double>(height - kBottom), axis.end_s};
  std::string out = open(width, height, strip.id, suffix, strip.title, strip.description);
  out += bands_and_marks(f, axis);
  for (const Band& b : axis.bands) {
    out += fmt::format("<text class=\"phase{}\" x=\"{:.1f}\" y=\"16\" text-anchor=\"middle\">{}</text>\n", b.fault ? " phase-fault" : "", (f.x(b.from_s) + f.x(b.to_s)) / 2, escape(narrow ? b.label.substr(0, b.label.find(':')) : b.label));
  }
  double y = f.top;
  for (const auto& [name, rows] : strip.groups) {
    y += group_gap;
    if (!narrow) out += fmt::format("<text class=\"group\" x=\"0\" y=\"{:.1f}\">{}</text>\n", y - 7, escape(name));
    for (const StripRow& row : rows) {
      if (narrow) y += 14;
      out += narrow ? fmt::format("<text class=\"row\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", f.left, y - 4, escape(row.label))
                    : fmt::format("<text class=\"row\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\"{}>{}</text>\n", f.left - 8, y + 14.5, squeezed(row.label, f.left - 12), escape(row.label));
      for (const Segment& s : row.segments) {
        const double x = f.x(s.from_s), w = std::max(f.x(s.to_s) - x, 0.8);
        out += fmt::format("<rect class=\"seg {}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\"><title>{}: {}, {} to {}</title></rect>", s.style, x, y, w, bar, escape(row.label), escape(s.text), clock_text(s.from_s),
                           clock_text(s.to_s));
        const double text = text_width(s.text);
        if (text + 14 < w) {
          out += fmt::format("<rect class=\"plate {0}\" x=\"{1:.1f}\" y=\"{2:.1f}\" width=\"{3:.1f}\" height=\"15\" rx=\"3\"/><text class=\"seg-label {0}\" x=\"{4:.1f}\" y=\"{5:.1f}\" text-anchor=\"middle\">{6}</text>",
                             s.style, x + w / 2 - text / 2 - 5, y + 2.5, text + 10, x + w / 2, y + 14.2, escape(s.text));
        }
        out += '\n';
      }
      y += bar + (narrow ? gap - 14 : gap);
    }
  }
  for (const Mark& m : axis.marks) out += fmt::format("<line class=\"mark over {}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", m.style, f.x(m.t_s), f.x(m.t_s), f.top, f.bottom);
  out += time_axis(f, axis, width);
  return out + "</svg>\n";
}

std::string draw_bars(std::string_view id, std::string_view title, std::string_view description, const std::vector<Bar>& bars, double limit, std::string_view limit_label, int width, std::string_view suffix) {
  const bool narrow = width <= 600;
  const int bar = 30, step = narrow ? 62 : 48, top = 22;
  const int height = top + step * static_cast<int>(bars.size()) + kBottom;
  double most = limit;
  for (const Bar& b : bars) {
    double sum = 0;
    for (const Part& p : b.parts) sum += std::max(p.value, 0.0);
    most = std::max(most, sum);
  }
  most *= 1.05;
  const double left = narrow ? 6 : 168, right = width - 60;
  const auto x = [&](double v) { return left + (right - left) * v / most; };
  std::string out = open(width, height, id, suffix, title, description);
  for (const double v : axis_ticks(most, narrow ? 4 : 8)) {
    out += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/><text class=\"tick\" x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"{5}\">{4:g} s</text>\n", x(v), top - 6, height - kBottom, height - 8, v, v == 0 ? "start" : "middle");
  }
  double y = top;
  for (const Bar& b : bars) {
    if (narrow) y += 14;
    out += narrow ? fmt::format("<text class=\"row\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", left, y - 4, escape(b.label))
                  : fmt::format("<text class=\"row\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left - 8, y + 19.5, escape(b.label));
    double sum = 0;
    for (const Part& p : b.parts) {
      const double v = std::max(p.value, 0.0), w = x(sum + v) - x(sum);
      if (v <= 0) continue;
      out += fmt::format("<rect class=\"part {}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\"><title>{}: {}</title></rect>", p.style, x(sum), y, w, bar, escape(p.label), value_text(v, "s"));
      const std::string text = value_text(v, "s");
      if (static_cast<double>(text.size()) * kTextWidth + 12 < w) {
        const double half = static_cast<double>(text.size()) * kTextWidth / 2 + 5;
        out += fmt::format("<rect class=\"plate\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"17\" rx=\"3\"/><text class=\"seg-label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", x(sum) + w / 2 - half,
                           y + 6.5, 2 * half, x(sum) + w / 2, y + 19.5, text);
      }
      out += '\n';
      sum += v;
    }
    out += fmt::format("<text class=\"total\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x(sum) + 6, y + 19.5, value_text(sum, "s"));
    y += step - (narrow ? 14 : 0);
  }
  if (limit > 0) {
    out += fmt::format("<line class=\"limit\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/><text class=\"limit-label\" x=\"{3:.1f}\" y=\"12\" text-anchor=\"end\">{4}</text>\n", x(limit), top - 6, height - kBottom,
                       x(limit) - 5, escape(limit_label));
  }
  return out + "</svg>\n";
}

namespace {

/// A logarithmic axis from a power of ten to a power of ten.
struct LogAxis {
  double low = 0, high = 1, from = 0, to = 1;
  double at(double v) const { return from + (to - from) * (std::log10(v) - low) / (high - low); }
};

LogAxis log_axis(const Scatter& s, bool x, double from, double to) {
  double least = 0, most = 0;
  for (const ScatterGroup& g : s.groups) {
    for (const ScatterPoint& p : g.points) {
      const double v = x ? p.x : p.y;
      if (!(v > 0) || !std::isfinite(v)) continue;
      least = least == 0 ? v : std::min(least, v);
      most = std::max(most, v);
    }
  }
  if (least == 0) least = 1, most = 10;
  const double low = std::floor(std::log10(least) + 1e-9);
  return {low, std::max(std::ceil(std::log10(most) - 1e-9), low + 1), from, to};
}

/// A mark that differs by shape: circle, square, diamond, and the same hollow.
std::string mark(std::size_t kind, double x, double y, std::string_view style) {
  const char* hollow = kind >= 3 ? " hollow" : "";
  switch (kind % 3) {
    case 0: return fmt::format("<circle class=\"dot {}{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\"/>", style, hollow, x, y);
    case 1: return fmt::format("<rect class=\"dot {}{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"8\" height=\"8\"/>", style, hollow, x - 4, y - 4);
    default: return fmt::format("<path class=\"dot {}{}\" d=\"M{:.1f} {:.1f}l5 5l-5 5l-5 -5Z\"/>", style, hollow, x, y - 5);
  }
}

}  // namespace

std::string draw_scatter(const Scatter& s, int width, std::string_view suffix) {
  static constexpr const char* kStyles[] = {"l-one", "l-p95", "l-lag", "l-one", "l-p95", "l-lag"};
  const int legend = 18 * static_cast<int>(s.groups.size()), height = 330 + legend;
  const LogAxis x = log_axis(s, true, 58, width - 16), y = log_axis(s, false, height - legend - 34, 14);
  std::string out = open(width, height, s.id, suffix, s.title, s.description);
  for (double e = x.low; e <= x.high + 1e-9; e += 1) {
    const double at = x.at(std::pow(10, e));
    out += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/><text class=\"tick\" x=\"{0:.1f}\" y=\"{3:.1f}\" text-anchor=\"middle\">{4}</text>\n", at, y.to, y.from, y.from + 18, value_text(std::pow(10, e), s.x_unit));
  }
  for (double e = y.low; e <= y.high + 1e-9; e += 1) {
    const double at = y.at(std::pow(10, e)), v = std::pow(10, e);
    out += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/><text class=\"tick\" x=\"{3:.1f}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n", x.from, x.to, at, x.from - 6, at + 4,
                       s.y_unit == "s" && v < 0.001 ? fmt::format("{:g} ms", v * 1000) : value_text(v, s.y_unit));
  }
  for (std::size_t g = 0; g < s.groups.size(); ++g) {
    const char* style = kStyles[g % std::size(kStyles)];
    std::string line, marks;
    for (const ScatterPoint& p : s.groups[g].points) {
      if (!(p.x > 0) || !(p.y > 0)) continue;
      line += fmt::format("{}{:.1f} {:.1f}", line.empty() ? "M" : "L", x.at(p.x), y.at(p.y));
      marks += mark(g, x.at(p.x), y.at(p.y), style) + fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x.at(p.x) + 7, y.at(p.y) + (g % 2 == 0 ? -5 : 13), escape(p.label));
    }
    if (!line.empty()) out += fmt::format("<path class=\"line thin {}\" d=\"{}\"/>\n{}", style, line, marks);
    const double at = height - legend + 18 * static_cast<double>(g) + 8;
    out += mark(g, x.from + 6, at, style) + fmt::format("<text class=\"row\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x.from + 18, at + 4, escape(s.groups[g].label));
  }
  return out + "</svg>\n";
}

}  // namespace supyo::report
