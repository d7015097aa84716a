#include <fmt/format.h>
#include <re2/re2.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <set>

#include "connect/kafka/client.h"
#include "connect/kafka/kafka.h"
#include "connect/kafka/record_decoder.h"
#include "connect/stream/stream.h"
#include "connect/stream/stream_options.h"
#include "core/base/bytes.h"

namespace supyo::connect {
namespace {

using namespace kafka;   // the room's own
using dataflow::Poll;

constexpr int kOpenTimeoutMs = 10'000;                  // brokers that do not answer when a job starts: then the restart strategy decides
constexpr DurationUs kPollInterval = kMillisecond;      // how often an empty queue is looked at
constexpr DurationUs kGroupCommitInterval = 500 * kMillisecond;   // for monitoring
constexpr DurationUs kProbeInterval = 5 * kSecond;      // of brokers said to be down
constexpr DurationUs kGiveUp = kMinute;
constexpr DurationUs kMostSilence = 5 * kSecond;        // of a broker that is asked for records ten times a second: it does not answer

/// A split's position: the next offset, and where a bounded read stops (fixed when the job first started; none: unbounded).
struct Position {
  std::int64_t next = 0;
  std::optional<std::int64_t> stop;
};

std::string encode(const Position& p) {
  std::string out;
  ByteWriter w(out);
  w.i64(p.next);
  if (p.stop) w.i64(*p.stop);
  return out;
}

Result<Position> decode(std::string_view bytes, const std::string& split) {
  ByteReader r(bytes);
  Position p{r.i64(), std::nullopt};
  if (!r.done()) p.stop = r.i64();
  if (r.failed() || !r.done()) return fail(ErrorCode::kDamaged, fmt::format("the position of split '{}' is unreadable", split));
  return p;
}

struct SplitState {
  std::string id, topic;
  std::int32_t partition = 0;
  Position position;
  std::int64_t acknowledged = 0;
  bool at_end = false;      // the client met the partition's end, and nothing has come since
  bool paused = false;
  bool answered = true;     // its broker answers, as the client last told
  std::vector<const rd_kafka_message_t*> messages;   // of this poll
  bool done() const { return position.stop && position.next >= *position.stop; }
};

/// The splits that the whole source gave out, to tell new ones.
using KnownSplits = std::set<std::string>;

Result<std::set<std::string>> find_splits(rd_kafka_t* client, const StreamSourceConfig& config, int timeout_ms, const Listener& listener) {
  std::vector<std::string> topics = config.where.topics;
  if (!config.where.topic_pattern.empty()) {
    const RE2 pattern(config.where.topic_pattern, RE2::Quiet);
    SUPYO_ASSIGN(const auto names, topic_names(client, timeout_ms, listener));
    for (const std::string& name : names)
      if (!name.starts_with("__") && RE2::FullMatch(name, pattern)) topics.push_back(name);
  }
  std::set<std::string> splits;
  for (const std::string& topic : topics) {
    SUPYO_ASSIGN(const std::int32_t partitions, partition_count(client, topic, timeout_ms, listener));
    for (std::int32_t p = 0; p < partitions; ++p) splits.insert(fmt::format("{}/{}", topic, p));
  }
  return splits;
}

/// What the client tells of itself every second, in the thread that reads.
class ReaderListener final : public Listener {
 public:
  using Listener::Listener;
  std::optional<std::set<std::pair<std::string, std::int32_t>>> answered;   // partitions whose broker answers; none: told nothing since it was last looked at

  static int on_statistics(rd_kafka_t*, char* json, std::size_t size, void* opaque) {
    constexpr int kFreeIt = 0;
    const auto all = nlohmann::json::parse(json, json + size, nullptr, false);
    if (!all.is_object()) return kFreeIt;
    auto& told = static_cast<ReaderListener*>(static_cast<Listener*>(opaque))->answered.emplace();
    const nlohmann::json nothing = nlohmann::json::object();
    for (const auto& broker : all.value("brokers", nothing)) {
      const std::int64_t silence_us = broker.value("rxidle", std::int64_t{-1});
      if (broker.value("state", "") != "UP" || silence_us < 0 || silence_us > kMostSilence) continue;
      for (const auto& p : broker.value("toppars", nothing)) told.emplace(p.value("topic", ""), p.value("partition", -1));
    }
    return kFreeIt;
  }
};

Result<Owned<rd_kafka_t>> make_consumer(const StreamSourceConfig& config, Listener& listener, bool reads = false) {
  Settings fixed = {{"isolation.level", config.isolation == log::Isolation::kReadCommitted ? "read_committed" : "read_uncommitted"},
                    {"group.id", config.group.empty() ? "supyo-without-group" : config.group}};   // the client wants one; without commits no broker learns of it
  if (reads) fixed.emplace_back("statistics.interval.ms", "1000");
  return make_client({.producer = false, .table = config.table, .servers = config.where.servers, .properties = config.properties, .fixed = std::move(fixed), .listener = &listener,
                      .on_statistics = reads ? ReaderListener::on_statistics : nullptr});
}

class KafkaReader final : public dataflow::SourceReader {
 public:
  KafkaReader(const StreamSourceConfig& config, const env::Env& env, RecordDecoder decoder, std::shared_ptr<const KnownSplits> known)
      : config_(config), env_(env), decoder_(std::move(decoder)), known_(std::move(known)), listener_(config.table), messages_(Batch::kMaxRows) {}

  ~KafkaReader() override {
    if (client_ && !uncommitted_.empty()) (void)commit_group();   // closing the client waits for it
    queue_.reset();
  }

  Status start(const std::vector<dataflow::Split>& splits, bool restored) {
    SUPYO_ASSIGN(client_, make_consumer(config_, listener_, true));
    queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
    for (const dataflow::Split& split : splits) {
      const std::size_t slash = split.id.rfind('/');
      SplitState s{.id = split.id, .topic = split.id.substr(0, slash), .partition = std::atoi(split.id.c_str() + slash + 1), .position = {}, .messages = {}};
      if (split.position.empty()) SUPYO_TRY(first_position(s, restored));
      else {
        SUPYO_ASSIGN(s.position, decode(split.position, split.id));
      }
      s.acknowledged = s.position.next;
      splits_.push_back(std::move(s));
    }
    next_discovery_us_ = env_.clock.monotonic_us() + config_.discovery_interval_us;
    return assign();
  }

  Result<Poll> poll(std::size_t budget, dataflow::SourceOutput& out) override {
    if (std::ranges::all_of(splits_, &SplitState::done)) return Poll::done();
    const ssize_t got = rd_kafka_consume_batch_queue(queue_.get(), 0, messages_.data(), std::min(budget, messages_.size()));
    if (got < 0) return unavailable(fmt::format("reading table '{}'", config_.table), rd_kafka_err2str(rd_kafka_last_error()), listener_);
    const std::size_t n = static_cast<std::size_t>(got);
    const Status taken = take(std::span(messages_).first(n), out);
    for (std::size_t i = 0; i < n; ++i) rd_kafka_message_destroy(messages_[i]);
    SUPYO_TRY(taken);
    if (reassign_) SUPYO_TRY(assign());
    const bool told = listener_.answered.has_value();
    if (told) note_answers();
    if (n == 0) SUPYO_TRY(commit_when_due());   // no epoch comes while nothing comes: the last one would look unread for ever
    if (n == 0) SUPYO_TRY(look_around());
    // While records come from others, one at its end has nothing in the client's queue either.
    for (std::size_t i = 0; i < splits_.size() && (n == 0 || told); ++i) {
      const SplitState& s = splits_[i];
      if (s.done() || (n > 0 && !s.at_end)) continue;
      if (listener_.down() || !s.answered) out.unreachable(static_cast<std::uint32_t>(i));
      else if (s.at_end && n == 0) out.quiet(static_cast<std::uint32_t>(i));
    }
    if (n > 0) return Poll::more();
    return Poll::waiting_until(env_.clock.now_us() + kPollInterval);
  }

  std::vector<dataflow::SplitPosition> positions() const override {
    std::vector<dataflow::SplitPosition> all;
    for (const SplitState& s : splits_) all.push_back({s.id, encode(s.position)});
    return all;
  }

  Status committed(Epoch, const std::vector<dataflow::SplitPosition>& positions) override {
    for (const auto& p : positions)
      for (SplitState& s : splits_) {
        if (s.id != p.split_id) continue;
        SUPYO_ASSIGN(const Position at, decode(p.position, p.split_id));
        if (at.next != s.acknowledged || !told_once_) uncommitted_.insert(s.id);
        s.acknowledged = at.next;
      }
    told_once_ = true;
    return commit_when_due();
  }

  std::vector<dataflow::SplitLag> lags() override {
    std::vector<dataflow::SplitLag> all;
    for (std::size_t i = 0; i < splits_.size(); ++i) {
      SplitState& s = splits_[i];
      std::int64_t low = 0, high = 0;
      if (rd_kafka_get_watermark_offsets(client_.get(), s.topic.c_str(), s.partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0) continue;   // not fetched from yet
      const std::int64_t end = s.at_end ? s.position.next : std::max(high, s.position.next);
      const auto behind = [&](std::int64_t o) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, end - o)); };
      all.push_back({static_cast<std::uint32_t>(i), behind(s.acknowledged), behind(s.position.next)});
    }
    return all;
  }

 private:
  struct Ends {
    std::int64_t low = 0, high = 0;   // high by the isolation level
  };
  Result<Ends> ends(const SplitState& s, int timeout_ms) const {
    Ends e;
    const auto error = rd_kafka_query_watermark_offsets(client_.get(), s.topic.c_str(), s.partition, &e.low, &e.high, timeout_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(fmt::format("asking for the ends of {}", s.id), rd_kafka_err2str(error), listener_);
    return e;
  }

  /// Where a new job starts. In a job that is resumed, a split without a position is a partition that was added since: nothing of it was read yet.
  Status first_position(SplitState& s, bool restored) {
    if (restored) {
      SUPYO_ASSIGN(const Ends e, ends(s, kOpenTimeoutMs));
      s.position.next = e.low;
    } else {
      SUPYO_ASSIGN(s.position.next, resolve(config_.start, s, true));
    }
    if (config_.stop.kind == StreamBound::Kind::kNone) return ok();
    SUPYO_ASSIGN(s.position.stop, resolve(config_.stop, s, false));
    return ok();
  }

  Result<std::int64_t> resolve(const StreamBound& b, const SplitState& s, bool start) {
    SUPYO_ASSIGN(const Ends e, ends(s, kOpenTimeoutMs));
    switch (b.kind) {
      case StreamBound::Kind::kNone:
      case StreamBound::Kind::kEarliest: return e.low;
      case StreamBound::Kind::kLatest: return e.high;
      case StreamBound::Kind::kTimestamp: {
        PartitionList list = one(s, b.timestamp_us / kMillisecond);
        const auto error = rd_kafka_offsets_for_times(client_.get(), list.get(), kOpenTimeoutMs);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(fmt::format("asking for an offset by time of {}", s.id), rd_kafka_err2str(error), listener_);
        return list->elems[0].offset < 0 ? e.high : list->elems[0].offset;
      }
      case StreamBound::Kind::kSpecific:
        if (const auto it = b.offsets.find(PartitionId(s.partition)); it != b.offsets.end()) return it->second.value;
        return start ? e.low : e.high;
      case StreamBound::Kind::kGroup: break;
    }
    if (config_.group.empty()) return fail(ErrorCode::kMissingOption, fmt::format("table '{}': 'group-offsets' needs the option 'properties.group.id'", config_.table), "or say where to start: 'scan.startup.mode' = 'earliest-offset'");
    PartitionList list = one(s, RD_KAFKA_OFFSET_INVALID);
    const auto error = rd_kafka_committed(client_.get(), list.get(), kOpenTimeoutMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(fmt::format("asking for the offset of group '{}'", config_.group), rd_kafka_err2str(error), listener_);
    if (list->elems[0].offset >= 0) return list->elems[0].offset;
    if (config_.start_without_group_offset.kind != StreamBound::Kind::kNone) return resolve(config_.start_without_group_offset, s, start);
    return fail(ErrorCode::kOffsetOutOfRange, fmt::format("group '{}' has no offset for {}", config_.group, s.id),
                "set 'properties.auto.offset.reset' to earliest or latest, or another scan mode");
  }

  static PartitionList one(const SplitState& s, std::int64_t offset) {
    PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), s.topic.c_str(), s.partition)->offset = offset;
    return list;
  }

  /// Makes the client read from the splits' positions; what it has fetched by then is thrown away.
  Status assign() {
    reassign_ = false;
    PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(splits_.size())));
    for (SplitState& s : splits_) {
      s.at_end = s.paused = false;
      if (!s.done()) rd_kafka_topic_partition_list_add(list.get(), s.topic.c_str(), s.partition)->offset = s.position.next;
      else s.paused = true;
    }
    const auto error = rd_kafka_assign(client_.get(), list.get());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(fmt::format("reading table '{}'", config_.table), rd_kafka_err2str(error), listener_);
    return ok();
  }

  std::size_t split_of(const rd_kafka_message_t* m) {
    // Records come in runs of one partition.
    if (m->rkt == last_topic_ && m->partition == last_partition_) return last_split_;
    const std::string_view topic = rd_kafka_topic_name(m->rkt);
    for (std::size_t i = 0; i < splits_.size(); ++i) {
      if (splits_[i].partition != m->partition || splits_[i].topic != topic) continue;
      last_topic_ = m->rkt;
      last_partition_ = m->partition;
      return last_split_ = i;
    }
    return splits_.size();
  }

  Status take(std::span<rd_kafka_message_t*> messages, dataflow::SourceOutput& out) {
    last_topic_ = nullptr;
    for (const rd_kafka_message_t* m : messages) {
      if (m->rkt == nullptr) {
        SUPYO_TRY(client_error(*m));
        continue;
      }
      const std::size_t i = split_of(m);
      if (i == splits_.size()) continue;   // of an assignment before this one
      SplitState& s = splits_[i];
      if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        SUPYO_TRY(split_event(i, *m, out));
      } else if (m->offset >= s.position.next && !s.done() && !reassign_) {
        s.at_end = false;
        if (s.messages.empty()) touched_.push_back(i);
        if (s.position.stop && m->offset >= *s.position.stop) {
          s.position.next = *s.position.stop;   // records beyond were produced later; a transaction's marker may have taken the last offset
        } else {
          s.messages.push_back(m);
          s.position.next = m->offset + 1;
        }
      }
      if (s.done() && !s.paused) pause(s);
    }
    if (std::ranges::any_of(messages, [](const rd_kafka_message_t* m) { return m->err == RD_KAFKA_RESP_ERR_NO_ERROR || m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF; })) heard();
    Status done = ok();
    for (const std::size_t i : touched_) {
      SplitState& s = splits_[i];
      if (done && !s.messages.empty()) done = decoder_.decode({.index = static_cast<std::uint32_t>(i), .id = s.id, .topic = s.topic, .partition = s.partition}, s.messages, env_.clock.now_us(), out);
      s.messages.clear();
    }
    touched_.clear();
    return done;
  }

  /// What the client says about a partition in the stream of its records.
  Status split_event(std::size_t i, const rd_kafka_message_t& m, dataflow::SourceOutput& out) {
    SplitState& s = splits_[i];
    switch (m.err) {
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        s.at_end = true;
        s.position.next = std::max(s.position.next, s.position.stop ? std::min<std::int64_t>(m.offset, *s.position.stop) : m.offset);   // past markers
        return ok();
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE: return overtaken(i, out);
      case RD_KAFKA_RESP_ERR__TRANSPORT:
      case RD_KAFKA_RESP_ERR__TIMED_OUT:
      case RD_KAFKA_RESP_ERR__RESOLVE:
      case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
      case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION: return ok();   // it goes on trying
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} is gone from the brokers: {}", s.id, rd_kafka_message_errstr(&m)), "was the topic deleted?");
      default: return fail(ErrorCode::kOutsideUnavailable, fmt::format("reading {}@{}: {}", s.id, s.position.next, rd_kafka_message_errstr(&m)), "the client cannot go on with this partition");
    }
  }

  Status client_error(const rd_kafka_message_t& m) {
    if (m.err == RD_KAFKA_RESP_ERR__TRANSPORT || m.err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || m.err == RD_KAFKA_RESP_ERR__RESOLVE || m.err == RD_KAFKA_RESP_ERR__TIMED_OUT) return ok();
    return unavailable(fmt::format("reading table '{}'", config_.table), rd_kafka_message_errstr(&m), listener_);
  }

  /// The position is not in the log any more (or not yet): never passed over silently.
  Status overtaken(std::size_t i, dataflow::SourceOutput& out) {
    SplitState& s = splits_[i];
    SUPYO_ASSIGN(const Ends e, ends(s, 10'000));
    const std::int64_t at = s.position.next;
    if (at >= e.low && at <= e.high) {   // the log moved on meanwhile, or the leader has just changed
      reassign_ = true;
      return ok();
    }
    const StreamBound::Kind policy = config_.start_without_group_offset.kind;
    if (at > e.high)
      return fail(ErrorCode::kOffsetOutOfRange, fmt::format("{}: the position {} lies beyond the log's end {}: the topic was made anew, or lost records that it had acknowledged", s.id, at, e.high),
                  "start with a new state directory to read it from the start");
    if (policy == StreamBound::Kind::kNone)
      return fail(ErrorCode::kOffsetOutOfRange, fmt::format("{}: retention deleted {} offsets that this job had not read: it stands at {}, the log begins at {}", s.id, e.low - at, at, e.low),
                  "keep records for longer than the job may be behind; with 'properties.auto.offset.reset' = 'earliest' it goes on and records the loss in `T$dead`");
    const std::int64_t to = policy == StreamBound::Kind::kLatest ? e.high : e.low;
    SUPYO_TRY(out.dead({.split = static_cast<std::uint32_t>(i), .position = fmt::format("{}@{}..{}", s.id, at, to - 1), .field = {},
                        .reason = fmt::format("LOST: {} offsets, of which retention deleted {}", to - at, e.low - at), .raw = {}, .produce_us = env_.clock.now_us(), .lost = static_cast<std::uint64_t>(to - at)}));
    fmt::print(stderr, "supyo: kafka: table '{}': {}: lost offsets {} to {} ({})\n", config_.table, s.id, at, to - 1, to - at);
    s.position.next = to;
    reassign_ = true;
    return ok();
  }

  void pause(SplitState& s) {
    s.paused = true;
    (void)rd_kafka_pause_partitions(client_.get(), one(s, 0).get());
  }

  void note_answers() {
    for (SplitState& s : splits_) s.answered = listener_.answered->contains({s.topic, s.partition});
    listener_.answered.reset();
  }

  void heard() {
    listener_.up();
    down_since_us_ = 0;
  }

  /// With nothing to read: are the brokers there, are there new partitions?
  Status look_around() {
    const TimeUs now = env_.clock.monotonic_us();
    if (const std::string fatal = listener_.fatal(); !fatal.empty()) return unavailable(fmt::format("reading table '{}'", config_.table), fatal, listener_);
    if (listener_.down()) {
      if (down_since_us_ == 0) {
        down_since_us_ = now;
        next_probe_us_ = now + kProbeInterval;
      }
      if (now < next_probe_us_) return ok();
      next_probe_us_ = now + kProbeInterval;
      if (find_splits(client_.get(), config_, 200, listener_)) heard();
      else if (now - down_since_us_ > kGiveUp) return unavailable(fmt::format("reading table '{}'", config_.table), "no broker has answered for a minute", listener_);
      return ok();
    }
    if (config_.discovery_interval_us == 0 || now < next_discovery_us_ || config_.stop.kind != StreamBound::Kind::kNone) return ok();
    next_discovery_us_ = now + config_.discovery_interval_us;
    const auto found = find_splits(client_.get(), config_, 500, listener_);
    if (!found) return ok();   // next time
    for (const std::string& id : *found)
      if (!known_->contains(id))
        return fail(ErrorCode::kOutsideConflict, fmt::format("table '{}': partition {} is new: the job goes back to its last epoch to take it in", config_.table, id),
                    "nothing is lost; a job without a state directory has to be started again");
    return ok();
  }

  Status commit_when_due() {
    if (config_.group.empty() || uncommitted_.empty()) return ok();
    const TimeUs now = env_.clock.monotonic_us();
    if (now < next_group_commit_us_) return ok();
    next_group_commit_us_ = now + kGroupCommitInterval;
    return commit_group();
  }

  Status commit_group() {
    PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(uncommitted_.size())));
    for (const SplitState& s : splits_)
      if (uncommitted_.contains(s.id)) rd_kafka_topic_partition_list_add(list.get(), s.topic.c_str(), s.partition)->offset = s.acknowledged;
    uncommitted_.clear();
    (void)rd_kafka_commit(client_.get(), list.get(), 1);   // a failure is logged; the next one says more than this one would have
    return ok();
  }

  const StreamSourceConfig config_;
  env::Env env_;
  RecordDecoder decoder_;
  std::shared_ptr<const KnownSplits> known_;
  ReaderListener listener_;
  Owned<rd_kafka_t> client_;
  Owned<rd_kafka_queue_t> queue_;
  std::vector<SplitState> splits_;
  std::vector<rd_kafka_message_t*> messages_;   // reused
  std::vector<std::size_t> touched_;
  const rd_kafka_topic_t* last_topic_ = nullptr;
  std::int32_t last_partition_ = 0;
  std::size_t last_split_ = 0;
  bool reassign_ = false;
  bool told_once_ = false;
  std::set<std::string> uncommitted_;
  TimeUs next_group_commit_us_ = 0, next_discovery_us_ = 0, down_since_us_ = 0, next_probe_us_ = 0;
};

class KafkaSource final : public dataflow::Source {
 public:
  explicit KafkaSource(StreamSourceConfig config) : config_(std::move(config)), known_(std::make_shared<KnownSplits>()) {}
  std::string_view name() const override { return config_.table; }
  bool bounded() const override { return config_.stop.kind != StreamBound::Kind::kNone; }

  Result<std::vector<dataflow::Split>> splits() override {
    Listener listener(config_.table);
    SUPYO_ASSIGN(const auto client, make_consumer(config_, listener));
    SUPYO_ASSIGN(KnownSplits found, find_splits(client.get(), config_, kOpenTimeoutMs, listener));
    if (found.empty()) return fail(ErrorCode::kUnknownTable, fmt::format("table '{}': no topic matches '{}'", config_.table, config_.where.topic_pattern));
    std::vector<dataflow::Split> all;
    for (const std::string& id : found) all.push_back({id, ""});
    known_ = std::make_shared<KnownSplits>(std::move(found));
    restored_ = false;
    return all;
  }

  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env& env) override {
    if (env.threads == nullptr) return fail(ErrorCode::kUnsupported, fmt::format("table '{}': brokers do not live in virtual time", config_.table), "copy the topic into an embedded log");
    SUPYO_ASSIGN(RecordDecoder decoder, RecordDecoder::make(config_));
    auto reader = std::make_unique<KafkaReader>(config_, env, std::move(decoder), known_);
    // Shards are opened one after the other; the first has the first split of a resumed job, which has a position.
    restored_ = restored_ || std::ranges::any_of(splits, [](const dataflow::Split& s) { return !s.position.empty(); });
    SUPYO_TRY(reader->start(splits, restored_));
    return reader;
  }

 private:
  StreamSourceConfig config_;
  std::shared_ptr<const KnownSplits> known_;
  bool restored_ = false;
};

}  // namespace

namespace {

Result<std::shared_ptr<dataflow::Source>> checked(StreamSourceConfig config) {
  SUPYO_TRY(RecordDecoder::make(config));   // checked before the job starts
  if (!config.where.topic_pattern.empty()) {
    const RE2 pattern(config.where.topic_pattern, RE2::Quiet);
    if (!pattern.ok()) return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': 'topic-pattern' is no regular expression: {}", config.table, pattern.error()));
  }
  return std::make_shared<KafkaSource>(std::move(config));
}

}  // namespace

Result<std::shared_ptr<dataflow::Source>> make_kafka_source(const catalog::SourceRequest& request, const env::Env& env) {
  (void)env;
  SUPYO_ASSIGN(StreamSourceConfig config, stream_source_config(request));
  return checked(std::move(config));
}

Result<std::shared_ptr<dataflow::Source>> make_upsert_kafka_source(const catalog::SourceRequest& request, const env::Env& env) {
  catalog::SourceRequest from_start = request;
  from_start.table.options["key.fields"] = fmt::format("{}", fmt::join(request.table.primary_key, ";"));
  from_start.table.options["scan.startup.mode"] = "earliest-offset";
  if (is_embedded_log(request.table.options)) return make_stream_source(from_start, env, true);
  SUPYO_ASSIGN(StreamSourceConfig config, stream_source_config(from_start, true));
  return checked(std::move(config));
}

}  // namespace supyo::connect
