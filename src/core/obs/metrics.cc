#include "core/obs/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/base/check.h"

namespace supyo::obs {
namespace {

bool is_label_name(std::string_view s) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const auto later = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !s.empty() && letter(s.front()) && std::ranges::all_of(s, later);
}

bool is_metric_name(std::string_view s, std::string_view type) {
  return is_label_name(s) && s.starts_with("supyo_") && (type == "counter") == s.ends_with("_total");
}

void append_escaped(std::string& out, std::string_view s, bool quotes) {
  for (const char c : s) {
    if (c == '\\') out += "\\\\";
    else if (c == '\n') out += "\\n";
    else if (c == '"' && quotes) out += "\\\"";
    else out += c;
  }
}

std::string number_text(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v < 0 ? "-Inf" : "+Inf";
  return fmt::format("{}", v);
}

/// `{a="1",b="2"}`, or nothing. `le` is the bound of a histogram's bucket.
std::string labels_text(const Labels& labels, std::optional<std::string> le = std::nullopt) {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += out.empty() ? '{' : ',';
    out += name + "=\"";
    append_escaped(out, value, true);
    out += '"';
  }
  if (le) out += fmt::format("{}le=\"{}\"", out.empty() ? '{' : ',', *le);
  return out.empty() ? out : out + '}';
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {
  SUPYO_CHECK(std::ranges::is_sorted(bounds_));
}

void Histogram::observe(double v, std::uint64_t times) {
  const auto bucket = static_cast<std::size_t>(std::ranges::lower_bound(bounds_, v) - bounds_.begin());
  counts_[bucket].fetch_add(times, std::memory_order_relaxed);
  sum_.fetch_add(v * static_cast<double>(times), std::memory_order_relaxed);
}

std::vector<std::uint64_t> Histogram::counts() const {
  std::vector<std::uint64_t> out;
  for (const auto& c : counts_) out.push_back(c.load(std::memory_order_relaxed));
  return out;
}

std::vector<double> exponential_bounds(double start, double factor, int count) {
  std::vector<double> out;
  for (int i = 0; i < count; ++i, start *= factor) out.push_back(start);
  return out;
}

struct Registry::Series {
  Labels labels;
  Counter counter;
  Gauge gauge;
  std::unique_ptr<Histogram> histogram;
  std::function<double()> read;
};

struct Registry::Family {
  std::string help;
  std::string type;
  std::map<Labels, std::unique_ptr<Series>> series;
};

Registry::Registry() = default;
Registry::~Registry() = default;

Registry::Series& Registry::series(std::string_view name, std::string_view help, std::string_view type, Labels labels) {
  std::ranges::sort(labels);
  for (const auto& [label, value] : labels) SUPYO_CHECK(is_label_name(label) && label != "le");
  auto family = families_.find(name);
  if (family == families_.end()) {
    SUPYO_CHECK(is_metric_name(name, type));
    family = families_.emplace(std::string(name), std::make_unique<Family>()).first;
    family->second->help = help;
    family->second->type = type;
  }
  Family& f = *family->second;
  SUPYO_CHECK(f.type == type);
  auto found = f.series.find(labels);
  if (found == f.series.end()) {
    if (f.series.size() >= kMaxSeries) {
      for (auto& label : labels) label.second = "other";
    }
    found = f.series.try_emplace(labels).first;
    if (!found->second) {
      found->second = std::make_unique<Series>();
      found->second->labels = std::move(labels);
    }
  }
  return *found->second;
}

Counter& Registry::counter(std::string_view name, std::string_view help, Labels labels) {
  const std::lock_guard lock(mutex_);
  return series(name, help, "counter", std::move(labels)).counter;
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
  const std::lock_guard lock(mutex_);
  return series(name, help, "gauge", std::move(labels)).gauge;
}

void Registry::gauge_of(std::string_view name, std::string_view help, std::function<double()> read, Labels labels) {
  const std::lock_guard lock(mutex_);
  series(name, help, "gauge", std::move(labels)).read = std::move(read);
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, std::vector<double> bounds, Labels labels) {
  const std::lock_guard lock(mutex_);
  Series& s = series(name, help, "histogram", std::move(labels));
  if (!s.histogram) s.histogram = std::make_unique<Histogram>(std::move(bounds));
  return *s.histogram;
}

namespace {

void append_histogram(std::string& out, std::string_view name, const Labels& labels, const Histogram& h) {
  const std::vector<std::uint64_t> counts = h.counts();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    const std::string le = i < h.bounds().size() ? number_text(h.bounds()[i]) : "+Inf";
    out += fmt::format("{}_bucket{} {}\n", name, labels_text(labels, le), total);
  }
  out += fmt::format("{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, labels_text(labels), number_text(h.sum()), total);
}

}  // namespace

std::string Registry::prometheus_text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += fmt::format("# HELP {} ", name);
    append_escaped(out, family->help, false);
    out += fmt::format("\n# TYPE {} {}\n", name, family->type);
    for (const auto& [labels, s] : family->series) {
      if (s->histogram) append_histogram(out, name, labels, *s->histogram);
      else if (family->type == "counter") out += fmt::format("{}{} {}\n", name, labels_text(labels), s->counter.value());
      else out += fmt::format("{}{} {}\n", name, labels_text(labels), number_text(s->read ? s->read() : s->gauge.value()));
    }
  }
  return out;
}

}  // namespace supyo::obs
