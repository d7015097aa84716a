#include "lab/scenario/stream/stream_results.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "lab/scenario/stream/stream_row.h"

namespace supyo::scenario {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Result<std::uint64_t> StreamTopicReader::poll(const std::function<void(std::string_view)>& take) {
  if (readers_.empty()) {
    const auto topic = log::open_topic(*files_, directory_, topic_);
    if (!topic) return 0;   // the job makes it when it starts
    for (std::int32_t p = 0; p < topic->config.partitions; ++p) {
      SUPYO_ASSIGN(auto reader, log::PartitionReader::open(*files_, *topic, PartitionId(p), {.isolation = uncommitted_ ? log::Isolation::kReadUncommitted : log::Isolation::kReadCommitted}));
      readers_.push_back(std::move(reader));
    }
  }
  std::uint64_t n = 0;
  for (log::PartitionReader& r : readers_) {
    for (;;) {
      SUPYO_ASSIGN(const log::FrameView* frame, r.next());
      if (frame == nullptr) break;
      for (std::size_t i = frame->first(); i < frame->count(); ++i) {
        ++n;
        if (!frame->value_is_null(i)) take(frame->value(i));
      }
    }
  }
  return n;
}

// ---- ids -------------------------------------------------------------------------------------------------------------------------

void IdTruth::sent(const workload::GeneratedRecord& record, TimeUs now) {
  if (record.id >= changes_.size()) changes_.resize(std::max<std::size_t>(record.id + 1, changes_.size() * 2));
  Change& c = changes_[record.id];
  if (c.copies++ > 0) return;
  ++distinct_;
  c.event_us = record.event_us;
  c.sent_us = now;
}

void IdTruth::seen(std::uint64_t id, TimeUs now) {
  ++applied_;
  if (id >= changes_.size()) changes_.resize(std::max<std::size_t>(id + 1, changes_.size() * 2));
  Change& c = changes_[id];
  if (c.applied++ > 0) {
    ++repeated_;
    return;
  }
  ++seen_ids_;
  c.visible_us = now;
  newest_us_ = std::max(newest_us_, c.event_us);
}

std::uint64_t IdTruth::lost() const {
  return static_cast<std::uint64_t>(std::ranges::count_if(changes_, [](const Change& c) { return c.copies > 0 && c.applied == 0; }));
}

// ---- windows ---------------------------------------------------------------------------------------------------------------------

void WindowTruth::sent(const workload::GeneratedRecord& record) {
  Window& w = windows_[window_of(record, size_us_, key_)];
  ++w.truth;
  missing_ += w.firings > 0 ? 1 : 0;
}

void WindowTruth::seen(TimeUs start_us, std::string key, std::int64_t value, TimeUs now) {
  Window& w = windows_[{start_us, std::move(key)}];
  missing_ += w.firings > 0 ? w.value - value : w.truth - value;
  w.value = value;
  if (w.firings++ > 0) {
    ++updates_;
  } else {
    w.first_us = now;
    w.first = value;
  }
  if (starts_.try_emplace(start_us, now).second) ++fired_;
  newest_end_us_ = std::max(newest_end_us_, start_us + size_us_);
}

void WindowTruth::aside(TimeUs start_us, std::string key) { ++windows_[{start_us, std::move(key)}].aside; }

// ---- all of it -------------------------------------------------------------------------------------------------------------------

Result<StreamTruth> StreamTruth::open(const StreamScenario& s, const OpenReader& open_reader) {
  StreamTruth t;
  t.keep_rows_ = s.replay;
  for (const StreamResult& r : s.results) {
    SUPYO_ASSIGN(auto reader, open_reader(r));
    Reading reading{&r, std::move(reader), nullptr, nullptr};
    SUPYO_ASSIGN(reading.oracle, make_stream_oracle(s, r));
    if (!reading.oracle && r.id.empty()) {
      SUPYO_ASSIGN(const DurationUs size, s.duration(r.size));
      if (size < kMillisecond) return fail(ErrorCode::kBadConfigFile, "a window is longer than that");
      reading.windows = std::make_unique<WindowTruth>(size, r.key);
    } else if (!reading.oracle) {
      reading.ids = std::make_unique<IdTruth>();
    }
    t.results_.push_back(std::move(reading));
  }
  return t;
}

void StreamTruth::sent(const std::string& topic, const workload::GeneratedRecord& record, TimeUs now) {
  for (Reading& r : results_) {
    if (r.oracle) r.oracle->sent(topic, record, now);
    if (r.oracle || r.spec->input != topic) continue;
    if (r.ids) r.ids->sent(record, now);
    else r.windows->sent(record);
  }
}

void StreamTruth::take(Reading& r, std::string_view value, TimeUs now) {
  const auto json = nlohmann::json::parse(value, nullptr, false);
  if (!json.is_object()) return;
  if (r.oracle) {
    r.oracle->seen(json, value, now);
    if (keep_rows_) r.rows.emplace(value);
    return;
  }
  if (r.ids) {
    if (const auto id = json.find(r.spec->id); id != json.end() && id->is_number_unsigned()) r.ids->seen(id->get<std::uint64_t>(), now);
    return;
  }
  const auto n = json.find(r.spec->value);
  const auto start = time_of(json, r.spec->window);
  if (start && n != json.end() && n->is_number_integer()) r.windows->seen(*start, text_of(json, r.spec->key), n->get<std::int64_t>(), now);
}

Status StreamTruth::poll(TimeUs now) {
  for (Reading& r : results_) {
    SUPYO_ASSIGN(const std::uint64_t n, r.reader->poll([&](std::string_view value) { take(r, value, now); }));
    rows_ += n;
  }
  return ok();
}

Status StreamTruth::read_late(env::Files& files, const std::string& state_directory) {
  const std::string directory = env::join_path(state_directory, "system");
  SUPYO_ASSIGN(const auto topics, log::list_topics(files, directory));
  for (const std::string& name : topics) {
    if (!name.ends_with(".late")) continue;
    StreamTopicReader reader(files, directory, name, false);
    SUPYO_ASSIGN(const std::uint64_t n, reader.poll([&](std::string_view value) {
      const auto json = nlohmann::json::parse(value, nullptr, false);
      for (Reading& r : results_) {
        if (!r.windows || !json.is_object()) continue;
        if (const auto start = time_of(json, "window_start")) r.windows->aside(*start, text_of(json, r.windows->key()));
      }
    }));
    late_rows_ += n;
  }
  return ok();
}

TimeUs StreamTruth::newest_us() const {
  TimeUs t = kTimeMin;
  for (const Reading& r : results_)
    if (!r.oracle) t = std::max(t, r.ids ? r.ids->newest_event_us() : r.windows->newest_end_us());
  return t;
}

// ---- how the readers fared -------------------------------------------------------------------------------------------------------

namespace {

/// Latencies in steps of 10 ms up to 100 s, and of a second beyond.
constexpr std::size_t kFine = 10'000, kSteps = kFine + 7200;
std::size_t step_of(DurationUs us) {
  if (us <= 0) return 0;
  const auto fine = static_cast<std::size_t>(us / (10 * kMillisecond));
  return fine < kFine ? fine : std::min(kSteps - 1, kFine + static_cast<std::size_t>(us / kSecond) - 100);
}
double step_seconds(std::size_t step) { return step < kFine ? (static_cast<double>(step) + 0.5) / 100 : static_cast<double>(step - kFine) + 100.5; }

}  // namespace

ReaderSeries reader_series(const IdTruth& ids, TimeUs start_us, std::size_t seconds, DurationUs within_us, DurationUs window_us) {
  constexpr std::size_t kRecent = 10;
  const auto second = [&](TimeUs t) { return t <= start_us ? std::size_t{0} : static_cast<std::size_t>((t - start_us + kSecond - 1) / kSecond); };   // the first sample that sees it
  const auto window = static_cast<std::size_t>(window_us / kSecond);
  std::vector<std::vector<std::uint32_t>> visible_at(seconds + 1);      // latency steps, by the sample that sees them first
  std::vector<std::vector<std::pair<std::size_t, int>>> open(seconds + 1);   // (event second, +1 or -1): what is unfinished from a sample on
  std::vector<std::int64_t> good(seconds + 2), bad(seconds + 2);         // changes from a sample on
  for (const IdTruth::Change& c : ids.changes()) {
    if (c.copies == 0) continue;
    const std::size_t sent = second(c.sent_us), seen = c.visible_us == 0 ? seconds + 1 : second(c.visible_us);
    const auto add = [&](std::vector<std::int64_t>& to, std::size_t from, std::size_t until) {
      if (from >= until || from > seconds) return;
      ++to[from];
      --to[std::min(until, seconds + 1)];
    };
    const std::size_t over = std::max(sent, second(c.event_us + within_us + 1));   // from when on its age alone breaks the promise
    add(good, sent, std::min(seen, over));
    add(bad, over, seen);
    if (seen <= seconds) {
      const DurationUs latency = c.visible_us - c.event_us;
      visible_at[seen].push_back(static_cast<std::uint32_t>(step_of(latency)));
      add(latency <= within_us ? good : bad, seen, seen + window);
    }
    if (sent < seen && sent <= seconds) {
      const std::size_t event = std::min(second(c.event_us), sent);
      open[sent].emplace_back(event, 1);
      if (seen <= seconds) open[seen].emplace_back(event, -1);
    }
  }
  ReaderSeries out;
  std::vector<std::uint32_t> steps(kSteps), ages(kSteps);
  std::vector<std::int64_t> unfinished(seconds + 1);
  std::size_t oldest = 0;
  std::int64_t g = 0, b = 0, recent = 0;
  for (std::size_t t = 0; t <= seconds; ++t) {
    g += good[t];
    b += bad[t];
    for (const std::uint32_t s : visible_at[t]) ++steps[s], ++recent;
    if (t >= kRecent) for (const std::uint32_t s : visible_at[t - kRecent]) --steps[s], --recent;
    for (const auto& [event, n] : open[t]) {
      unfinished[event] += n;
      oldest = std::min(oldest, event);   // a late one is older than what was unfinished so far
    }
    if (t == 0) continue;
    while (oldest < t && unfinished[oldest] == 0) ++oldest;
    std::fill(ages.begin(), ages.end(), 0);
    std::int64_t total = recent;
    for (std::size_t e = oldest; e <= t; ++e) {
      ages[step_of(static_cast<DurationUs>(t - e) * kSecond)] += static_cast<std::uint32_t>(unfinished[e]);
      total += unfinished[e];
    }
    std::array<double, 3> q{kNaN, kNaN, kNaN};
    std::int64_t below = 0;
    std::size_t next = 0;
    constexpr std::array<double, 3> kQuantiles{0.5, 0.95, 0.99};
    for (std::size_t s = 0; s < kSteps && next < q.size() && total > 0; ++s) {
      below += steps[s] + ages[s];
      while (next < q.size() && static_cast<double>(below) >= kQuantiles[next] * static_cast<double>(total)) q[next++] = step_seconds(s);
    }
    out.p50_s.push_back(q[0]);
    out.p95_s.push_back(q[1]);
    out.p99_s.push_back(q[2]);
    out.bad_share.push_back(g + b == 0 ? kNaN : static_cast<double>(b) / static_cast<double>(g + b));
  }
  return out;
}

}  // namespace supyo::scenario
