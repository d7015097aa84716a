#include "lab/scenario/stream/stream_oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/hash.h"
#include "lab/scenario/intervals.h"
#include "lab/scenario/stream/stream_row.h"
#include "lab/workload/request.h"

namespace supyo::scenario {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

double seconds(DurationUs us) { return static_cast<double>(us) / 1e6; }
double number(std::uint64_t n) { return static_cast<double>(n); }

std::string suffix(const StreamResult& result) {
  std::string s = "_" + result.topic;
  std::ranges::replace(s, '-', '_');
  return s;
}

std::optional<std::uint64_t> id_of(const nlohmann::json& row, const std::string& field) {
  const auto it = row.find(field);
  return it != row.end() && it->is_number_integer() && *it >= 0 ? std::optional(it->get<std::uint64_t>()) : std::nullopt;
}

double quantile(std::vector<double>& values, double q) {
  if (values.empty()) return kNaN;
  const auto k = static_cast<std::ptrdiff_t>(std::ceil(q * number(values.size())) - 1);
  const auto at = values.begin() + std::max<std::ptrdiff_t>(0, k);
  std::ranges::nth_element(values, at);
  return *at;
}

}  // namespace

// ---- copies ----------------------------------------------------------------------------------------------------------------------

bool BloomFilter::known(std::uint64_t id, TimeUs now) {
  if (turned_us_ == kTimeMin) turned_us_ = now;
  for (int turns = 0; now - turned_us_ >= generation_us_ && turns < 2; ++turns) {
    std::swap(now_, before_);
    now_.assign(now_.size(), false);
    turned_us_ += generation_us_;
  }
  turned_us_ = std::max(turned_us_, now - generation_us_);
  // Kirsch and Mitzenmacher 2006: two hashes do for all.
  const std::uint64_t a = hash_u64(id), b = hash_u64(id ^ 0x9e3779b97f4a7c15ULL) | 1U;
  bool in_now = true, in_before = true;
  for (std::uint32_t i = 0; i < hashes_; ++i) {
    const std::uint64_t bit = (a + i * b) % now_.size();
    in_before = in_before && before_[bit];
    in_now = in_now && now_[bit];
    now_[bit] = true;
  }
  return in_now || in_before;
}

CopyOracle::CopyOracle(const StreamResult& result, Options options) : result_(result), options_(options) {
  if (options.bloom_bits > 0) bloom_ = std::make_unique<BloomFilter>(options.bloom_bits, options.bloom_hashes, options.horizon_us);
}

CopyOracle::Record& CopyOracle::at(std::uint64_t id) {
  if (id >= records_.size()) records_.resize(std::max<std::size_t>(id + 1, records_.size() * 2));
  return records_[id];
}

void CopyOracle::sent(const std::string& topic, const workload::GeneratedRecord& record, TimeUs now) {
  if (topic != result_.input) return;
  Record& r = at(record.id);
  ++sent_;
  const bool first = r.sent++ == 0;
  if (first) r.first_us = now, ++distinct_;
  else r.again_us = now;
  if (bloom_ == nullptr) return;
  const bool known = bloom_->known(record.id, now);
  if (first && known) ++bloom_lost_;
  if (!first && !known) ++bloom_leaked_;
}

void CopyOracle::seen(const nlohmann::json& row, std::string_view, TimeUs) {
  if (const auto id = id_of(row, result_.id)) ++seen_, ++at(*id).seen;
}

void CopyOracle::ages(Arm& arm, std::vector<Trial>& trials, const std::string& end) const {
  constexpr int kBins = 40;   // from 0 to twice the horizon
  struct Bin {
    std::uint64_t copies = 0, leaked = 0;
    double age_s = 0;
  };
  std::vector<Bin> bins(kBins);
  std::uint64_t young = 0, old = 0, leaked_young = 0, leaked_old = 0;
  DurationUs oldest_held = 0, youngest_leaked = kTimeMax;
  for (const Record& r : records_) {
    if (r.sent != 2) continue;   // of several copies it is not known which one passed
    const DurationUs age = r.again_us - r.first_us;
    const bool leaked = r.seen > 1;
    if (leaked) youngest_leaked = std::min(youngest_leaked, age);
    else oldest_held = std::max(oldest_held, age);
    if (age < options_.horizon_us) ++young, leaked_young += leaked ? 1 : 0;
    else if (age > options_.horizon_us + options_.cleanup_us) ++old, leaked_old += leaked ? 1 : 0;
    Bin& b = bins[static_cast<std::size_t>(std::clamp(seconds(age) / seconds(2 * options_.horizon_us) * kBins, 0.0, kBins - 1.0))];
    ++b.copies;
    b.leaked += leaked ? 1 : 0;
    b.age_s += seconds(age);
  }
  for (const Bin& b : bins)
    if (b.copies > 0) trials.push_back({arm.name, result_.topic, 0, {{"age", b.age_s / number(b.copies)}, {"leak_share", number(b.leaked) / number(b.copies)}, {"copies", number(b.copies)}}});
  auto& c = arm.counts;
  c["young_copies" + end] = number(young);
  c["old_copies" + end] = number(old);
  c["leaked_young" + end] = number(leaked_young);
  c["leaked_old" + end] = number(leaked_old);
  c["oldest_held" + end] = seconds(oldest_held);
  c["youngest_leaked" + end] = youngest_leaked == kTimeMax ? kInf : seconds(youngest_leaked);
}

void CopyOracle::reckon(const StreamSpan&, Arm& arm, std::vector<Trial>& trials) const {
  const std::string end = suffix(result_);
  auto& c = arm.counts;
  ages(arm, trials, end);
  std::uint64_t leaked = 0, missing = 0;
  for (const Record& r : records_) leaked += r.seen > 1 ? r.seen - 1 : 0, missing += r.sent > 0 && r.seen == 0 ? 1 : 0;
  c["copies" + end] = number(sent_ - distinct_);
  c["leaked" + end] = number(leaked);
  c["missing" + end] = number(missing);
  c["raw_duplicate_rate" + end] = number(sent_ - distinct_) / number(sent_);
  c["duplicate_rate" + end] = seen_ == 0 ? kNaN : number(leaked) / number(seen_);
  c["leak_share" + end] = sent_ == distinct_ ? kNaN : number(leaked) / number(sent_ - distinct_);
  if (bloom_ == nullptr) return;
  c["bloom_lost" + end] = number(bloom_lost_);
  c["bloom_leaked" + end] = number(bloom_leaked_);
  c["bloom_loss" + end] = number(bloom_lost_) / number(distinct_);
  c["bloom_duplicate_rate" + end] = number(bloom_leaked_) / number(distinct_ - bloom_lost_ + bloom_leaked_);
  c["bloom_bytes" + end] = number(bloom_->bytes());
}

// ---- versions --------------------------------------------------------------------------------------------------------------------

void VersionOracle::sent(const std::string& topic, const workload::GeneratedRecord& record, TimeUs) {
  const bool table = topic == result_.table;
  if (!table && topic != result_.input) return;
  const auto json = nlohmann::json::parse(record.value, nullptr, false);
  const nlohmann::json row = table && json.is_object() ? json.value("after", nlohmann::json()) : json;
  if (!row.is_object() || !row.contains(result_.key)) return;
  const std::string key = row[result_.key].dump();
  if (table) {
    versions_[key].insert(record.event_us);
  } else if (const auto id = id_of(row, result_.id)) {
    Record& r = records_[*id];
    r.event_us = record.event_us;
    r.key = key;
  }
}

void VersionOracle::seen(const nlohmann::json& row, std::string_view, TimeUs now) {
  const auto id = id_of(row, result_.id);
  if (!id) return;
  Record& r = records_[*id];
  r.last = time_of(row, result_.version).value_or(kTimeMin);
  if (r.seen++ == 0) r.first = r.last, r.visible_us = now;
}

TimeUs VersionOracle::truth(const Record& record) const {
  const auto versions = versions_.find(record.key);
  if (versions == versions_.end()) return kTimeMin;
  const auto after = versions->second.upper_bound(record.event_us);
  return after == versions->second.begin() ? kTimeMin : *std::prev(after);
}

void VersionOracle::reckon(const StreamSpan& span, Arm& arm, std::vector<Trial>&) const {
  std::uint64_t n = 0, wrong = 0, wrong_at_last = 0, missing = 0, replaced = 0;
  std::map<std::string, std::pair<double, double>> by_key;   // wrong, all: records of one key are wrong together
  std::vector<double> waits;
  for (const auto& [id, r] : records_) {
    if (r.event_us < span.fault_us + settle_us_ || r.event_us >= span.fault_end_us) continue;
    const TimeUs right = truth(r);
    if (right == kTimeMin) continue;   // the table did not have it yet
    ++n;
    if (r.seen == 0) {
      ++missing;
      continue;
    }
    auto& [bad, all] = by_key[r.key];
    all += 1;
    if (r.first != right) ++wrong, bad += 1;
    wrong_at_last += r.last != right ? 1 : 0;
    replaced += r.seen > 1 ? 1 : 0;
    waits.push_back(seconds(r.visible_us - r.event_us));
  }
  std::vector<double> shares;
  for (const auto& [key, counts] : by_key) shares.push_back(counts.first / counts.second);
  const MeanInterval i = mean_interval(shares);
  const std::string end = suffix(result_);
  auto& c = arm.counts;
  c["joined" + end] = number(n);
  c["missing" + end] = number(missing);
  c["wrong" + end] = number(wrong);
  c["replaced" + end] = number(replaced);
  c["wrong_share" + end] = number(wrong) / number(n - missing);
  c["wrong_share_low" + end] = i.low;
  c["wrong_share_high" + end] = i.high;
  c["wrong_share_at_last" + end] = number(wrong_at_last) / number(n - missing);
  c["wait_p50" + end] = quantile(waits, 0.5);
  c["wait_p95" + end] = quantile(waits, 0.95);
}

// ---- alarms ----------------------------------------------------------------------------------------------------------------------

void AlarmOracle::seen(const nlohmann::json& row, std::string_view, TimeUs now) {
  if (const auto from = time_of(row, result_.window)) alarms_.push_back({*from, now});
}

void AlarmOracle::reckon(const StreamSpan& span, Arm& arm, std::vector<Trial>& trials) const {
  const std::vector<workload::RequestBurst> bursts = workload::request_bursts(seed_, span.start_us, newest_us_, bursts_us_);
  std::uint64_t missed = 0, false_alarms = 0;
  std::vector<double> before, during;
  for (const workload::RequestBurst& b : bursts) {
    if (b.from_us >= span.fault_end_us) continue;   // what is left of the run may be too short for it to be told of
    TimeUs told = kTimeMax;
    for (const Alarm& a : alarms_)
      if (a.from_us < b.end_us && a.from_us + size_us_ > b.from_us && a.visible_us >= b.from_us) told = std::min(told, a.visible_us);
    if (told == kTimeMax) {
      ++missed;
      continue;
    }
    const double delay = seconds(told - b.from_us);
    (b.from_us < span.fault_us ? before : during).push_back(delay);
    trials.push_back({arm.name, result_.topic, seconds(b.from_us - span.start_us), {{"at", seconds(b.from_us - span.start_us)}, {"delay", delay}}});
  }
  for (const Alarm& a : alarms_)
    false_alarms += std::ranges::none_of(bursts, [&](const workload::RequestBurst& b) { return a.from_us < b.end_us && a.from_us + size_us_ > b.from_us; }) ? 1 : 0;
  const std::string end = suffix(result_);
  auto& c = arm.counts;
  c["bursts" + end] = number(bursts.size());
  c["missed" + end] = number(missed);
  c["alarms" + end] = number(alarms_.size());
  c["false_alarms" + end] = number(false_alarms);
  const auto delays = [&](const std::string& when, std::vector<double>& values) {
    const MeanInterval i = mean_interval(values);
    c["delay_mean" + when + end] = i.mean;
    c["delay_low" + when + end] = i.low;
    c["delay_high" + when + end] = i.high;
    c["delay_max" + when + end] = quantile(values, 1);
  };
  delays("_before", before);
  delays("", during);
}

// ---- marks -----------------------------------------------------------------------------------------------------------------------

void MarkOracle::sent(const std::string& topic, const workload::GeneratedRecord& record, TimeUs) {
  if (topic != result_.input) return;
  ++windows_[window_of(record, size_us_, result_.key)].sent;
}

void MarkOracle::seen(const nlohmann::json& row, std::string_view, TimeUs now) {
  const auto start = time_of(row, result_.window);
  const auto value = row.find(result_.value), mark = row.find(result_.mark);
  if (!start || value == row.end() || !value->is_number_integer()) return;
  Window& w = windows_[{*start, text_of(row, result_.key)}];
  w.last = value->get<std::int64_t>();
  w.marked = mark != row.end() && mark->is_boolean() && mark->get<bool>();
  if (now <= *start + size_us_ + final_after_us_) w.taken = w.last;
}

void MarkOracle::reckon(const StreamSpan&, Arm& arm, std::vector<Trial>&) const {
  std::uint64_t changed = 0, unmarked = 0, in_vain = 0, wrong = 0;
  for (const auto& [at, w] : windows_) {
    const bool other = w.last != w.taken;
    changed += other ? 1 : 0;
    unmarked += other && !w.marked ? 1 : 0;
    in_vain += !other && w.marked ? 1 : 0;
    wrong += w.last != w.sent ? 1 : 0;
  }
  const std::string end = suffix(result_);
  auto& c = arm.counts;
  c["windows" + end] = number(windows_.size());
  c["changed" + end] = number(changed);
  c["unmarked" + end] = number(unmarked);
  c["marked_in_vain" + end] = number(in_vain);
  c["wrong" + end] = number(wrong);
}

// ---- which one -------------------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<StreamOracle>> make_stream_oracle(const StreamScenario& s, const StreamResult& r) {
  if (r.oracle == "copies") {
    CopyOracle::Options o;
    SUPYO_ASSIGN(o.horizon_us, s.duration(r.horizon));
    SUPYO_ASSIGN(o.cleanup_us, s.duration(r.cleanup));
    SUPYO_ASSIGN(o.bloom_bits, s.count(r.bloom_bits));
    SUPYO_ASSIGN(const std::uint64_t hashes, s.count(r.bloom_hashes));
    if (o.horizon_us <= 0 || hashes == 0 || hashes > 64) return fail(ErrorCode::kBadConfigFile, fmt::format("result '{}': its horizon is above zero, and a filter has 1 to 64 hashes", r.topic));
    o.bloom_hashes = static_cast<std::uint32_t>(hashes);
    return std::make_unique<CopyOracle>(r, o);
  }
  if (r.oracle == "versions") {
    SUPYO_ASSIGN(const DurationUs settle, s.duration(r.settle));
    return std::make_unique<VersionOracle>(r, settle);
  }
  if (r.oracle == "alarms") {
    const auto input = std::ranges::find(s.inputs, r.input, &StreamInput::topic);
    SUPYO_ASSIGN(const DurationUs size, s.duration(r.size));
    SUPYO_ASSIGN(const DurationUs bursts, s.duration(input->bursts));
    return std::make_unique<AlarmOracle>(r, s.input_seed(*input), size, bursts);
  }
  if (r.oracle == "marks") {
    SUPYO_ASSIGN(const DurationUs size, s.duration(r.size));
    SUPYO_ASSIGN(const DurationUs final_after, s.duration(r.final_after));
    if (size < kMillisecond) return fail(ErrorCode::kBadConfigFile, "a window is longer than that");
    return std::make_unique<MarkOracle>(r, size, final_after);
  }
  return std::unique_ptr<StreamOracle>();
}

}  // namespace supyo::scenario
