#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace supyo::obs {

/// Only grows. add() is one relaxed atomic: any thread, once a batch rather than once a row.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

/// Goes up and down. Any thread.
class Gauge {
 public:
  void set(double v) { value_.store(v, std::memory_order_relaxed); }
  void add(double v) { value_.fetch_add(v, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0.0;
};

/// Counts of observations at most each bound, their sum and number. Bounds ascend; +Inf is implied. Any thread.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void observe(double v, std::uint64_t times = 1);
  const std::vector<double>& bounds() const { return bounds_; }
  /// Not cumulative: observations in (bounds[i-1], bounds[i]]; the last is everything above.
  std::vector<std::uint64_t> counts() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_ = 0.0;
};

/// Bounds start, start * factor, ... (`count` of them).
std::vector<double> exponential_bounds(double start, double factor, int count);

/// Label names and values of one series, for example {{"sink", "lake.db.t"}}. Values are data from outside: escaped when written.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// The metrics of one job, owned by it and passed in. Registering takes a lock and returns a reference that lives as long as the registry
/// (the same one for the same name and labels): register once, keep the reference. Reading and writing values takes no lock.
///
/// Names: lower case, begin with "supyo_", base units (seconds, bytes), counters end with "_total". A name that is not so is a bug.
/// At most kMaxSeries series a name: what comes beyond shares one series whose label values are all "other".
class Registry {
 public:
  static constexpr std::size_t kMaxSeries = 512;

  Registry();
  ~Registry();
  Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::vector<double> bounds, Labels labels = {});
  /// A gauge that is computed when it is read, by the reading thread: `read` must be thread-safe and outlive the registry's readers.
  void gauge_of(std::string_view name, std::string_view help, std::function<double()> read, Labels labels = {});

  /// All series as Prometheus text format 0.0.4, by name and labels.
  /// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
  std::string prometheus_text() const;

 private:
  struct Series;
  struct Family;
  Series& series(std::string_view name, std::string_view help, std::string_view type, Labels labels);

  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;
};

}  // namespace supyo::obs
