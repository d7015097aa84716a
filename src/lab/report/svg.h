#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace supyo::report {

/// Text made safe for HTML and SVG, in content and in attributes.
std::string escape(std::string_view text);

/// "12:00", "1:02:03": seconds since the start, for people.
std::string clock_text(double seconds);
/// "3.85 s", "10 min 28 s", "12,080": a value with its unit, for people; "never" for infinity, "not measured" for NaN.
std::string value_text(double value, std::string_view unit);
/// "6,040"
std::string count_text(double value);

/// Round steps for an axis from 0 to `most`: at most `ticks` of them.
std::vector<double> axis_ticks(double most, int ticks);

/// One line of a chart. `style` is a CSS class that gives colour and dash pattern.
struct Line {
  std::string label;
  std::string style;
  const std::vector<double>* values = nullptr;
  bool band = false;   ///< drawn as the band between the lowest and the highest of each stretch
};
struct Threshold {
  double value = 0;
  std::string label;
};
/// A moment that is marked in every chart.
struct Mark {
  double t_s = 0;
  std::string label;
  std::string style;
};
struct Band {
  double from_s = 0, to_s = 0;
  std::string label;       ///< up to a colon where there is little room
  bool fault = false;
};
/// What all charts of a page share: the time axis and what is marked on it.
struct TimeAxis {
  const std::vector<double>* t_s = nullptr;
  double end_s = 0;
  std::vector<Band> bands;
  std::vector<Mark> marks;
};
struct Chart {
  std::string id, title, description, unit;
  std::vector<Line> lines;
  std::vector<Threshold> thresholds;
};
/// A chart `width` units wide (drawn twice on a page: for wide and for narrow screens). `suffix` keeps ids apart.
std::string draw_chart(const Chart& chart, const TimeAxis& axis, int width, std::string_view suffix);

/// A row of a strip: consecutive states. `style` is a CSS class, `text` is what it says where there is room.
struct Segment {
  double from_s = 0, to_s = 0;
  std::string style, text;
};
struct StripRow {
  std::string label;
  std::vector<Segment> segments;
};
struct Strip {
  std::string id, title, description;
  std::vector<std::pair<std::string, std::vector<StripRow>>> groups;
};
std::string draw_strip(const Strip& strip, const TimeAxis& axis, int width, std::string_view suffix);

/// Horizontal stacked bars, additive.
struct Part {
  std::string label, style;
  double value = 0;
};
struct Bar {
  std::string label;
  std::vector<Part> parts;
};
std::string draw_bars(std::string_view id, std::string_view title, std::string_view description, const std::vector<Bar>& bars, double limit, std::string_view limit_label, int width, std::string_view suffix);

/// Points on two logarithmic axes, each with a word beside it; the points of a group are joined in their order, and groups differ by mark and dash.
struct ScatterPoint {
  double x = 0, y = 0;
  std::string label;
};
struct ScatterGroup {
  std::string label;
  std::vector<ScatterPoint> points;
};
struct Scatter {
  std::string id, title, description, x_unit, y_unit;
  std::vector<ScatterGroup> groups;
};
std::string draw_scatter(const Scatter& scatter, int width, std::string_view suffix);

}  // namespace supyo::report
