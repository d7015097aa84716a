#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>

#include "cli/consume_loop.h"
#include "cli/context.h"
#include "cli/drive.h"
#include "cli/signals.h"
#include "core/base/duration.h"
#include "core/obs/metrics.h"
#include "serve/http/server.h"
#include "serve/http/watch_api.h"
#include "serve/watch/look.h"
#include "serve/watch/watcher.h"

/// supyo consume: a member of a consumer group, by hand.
namespace supyo::cli {
namespace {

using connect::GroupEvent;

constexpr std::string_view kDefaultServe = "8084";
constexpr DurationUs kShowEvery = kSecond;
constexpr DurationUs kAdminTimeout = 900 * kMillisecond;   // below the second within which Ctrl-C ends everything
constexpr DurationUs kWaitForBrokers = 15 * kSecond;
constexpr std::size_t kRowsMax = 24;                       // partitions shown on a terminal

struct ConsumeCommand {
  std::string topic, group, servers = "127.0.0.1:9092", data, sleep = "0s", reset = "earliest", commit = "after", interval = "1s", for_time, instance;
  std::optional<std::string> serve;
  std::vector<std::string> properties, client_settings;
  ConsumeOptions loop;
  std::optional<std::size_t> batch;
  bool json = false;
};

constexpr std::pair<std::string_view, CommitOrder> kOrders[] = {
    {"before", CommitOrder::kBefore}, {"after", CommitOrder::kAfter}, {"txn", CommitOrder::kTxn}, {"auto", CommitOrder::kAuto}, {"java", CommitOrder::kJava}};

std::string text_or_dash(std::optional<std::int64_t> n) { return !n || *n < 0 ? "-" : grouped(static_cast<std::uint64_t>(*n)); }
std::string signed_text(std::optional<std::int64_t> n) { return !n ? "-" : *n < 0 ? "-" + grouped(static_cast<std::uint64_t>(-*n)) : grouped(static_cast<std::uint64_t>(*n)); }
std::string json_or_null(std::optional<std::int64_t> n) { return n ? std::to_string(*n) : "null"; }

/// One partition as it is shown: what this member knows beside what the brokers say.
struct Row {
  std::int32_t partition = 0;
  bool owned = false;
  std::optional<std::int64_t> position, committed, lag, log_start, end, headroom;
  std::uint64_t handled = 0, lost = 0, gaps = 0, again = 0;
  std::optional<double> loss_in_s;
};

std::vector<Row> rows_of(const ConsumeLoop& loop, const watch::View& view) {
  std::map<std::int32_t, Row> rows;
  for (const watch::TopicView& topic : view.topics)
    for (const watch::PartitionView& p : topic.partitions) {
      Row& row = rows[p.id];
      row.log_start = p.log_start;
      row.end = p.end;
    }
  for (const watch::GroupView& group : view.groups)
    for (const watch::GroupPartitionView& p : group.partitions) {
      Row& row = rows[p.partition];
      row.committed = p.committed;
      row.lag = p.lag();
      row.headroom = p.headroom();
      row.loss_in_s = p.loss_in_s;
    }
  for (const auto& [partition, p] : loop.partitions()) {
    Row& row = rows[partition];
    row.owned = p.owned;
    if (p.position >= 0) row.position = p.position;
    row.handled = p.handled;
    row.lost = p.lost;
    row.gaps = p.gaps;
    row.again = p.again;
  }
  std::vector<Row> all;
  for (auto& [partition, row] : rows) {
    row.partition = partition;
    all.push_back(row);
  }
  return all;
}

/// Over the partitions: sums, but the smallest headroom and the soonest loss.
Row total_of(const std::vector<Row>& rows) {
  Row sum;
  const auto add = [](std::optional<std::int64_t>& to, std::optional<std::int64_t> n) {
    if (n) to = to.value_or(0) + *n;
  };
  for (const Row& row : rows) {
    add(sum.position, row.position);
    add(sum.committed, row.committed);
    add(sum.lag, row.lag);
    add(sum.log_start, row.log_start);
    add(sum.end, row.end);
    if (row.headroom) sum.headroom = std::min(sum.headroom.value_or(INT64_MAX), *row.headroom);
    if (row.loss_in_s) sum.loss_in_s = std::min(sum.loss_in_s.value_or(1e300), *row.loss_in_s);
    sum.handled += row.handled;
    sum.lost += row.lost;
    sum.gaps += row.gaps;
    sum.again += row.again;
  }
  return sum;
}

std::string event_text(const GroupEvent& e) {
  const std::string partitions = fmt::format("partition{} {}", e.partitions.size() == 1 ? "" : "s", fmt::join(e.partitions, ", "));
  switch (e.kind) {
    case GroupEvent::Kind::kAssigned: return e.partitions.empty() ? "assigned: nothing" : "assigned: " + partitions;
    case GroupEvent::Kind::kRevoked: return "revoked: " + partitions;
    case GroupEvent::Kind::kLost: return "lost to another member: " + partitions;
    case GroupEvent::Kind::kPositionGone:
      if (e.from < 0) return fmt::format("{}: no position was committed; begins at {}", partitions, text_or_dash(e.to));
      if (e.to < 0) return fmt::format("{}: {} is not in the log any more: records were deleted before they were read", partitions, text_or_dash(e.from));
      if (e.to < e.from) return fmt::format("{}: {} is beyond the end of the log; goes on at {}", partitions, text_or_dash(e.from), text_or_dash(e.to));
      return fmt::format("{}: LOST {} records: {} is not in the log any more; goes on at {}", partitions, grouped(static_cast<std::uint64_t>(e.to - e.from)), text_or_dash(e.from), text_or_dash(e.to));
    case GroupEvent::Kind::kCommitted: return {};
    case GroupEvent::Kind::kCommitFailed: return fmt::format("commit of {} failed: {}", partitions, e.text);
    case GroupEvent::Kind::kError: return e.text;
  }
  return {};
}

std::string event_json(const GroupEvent& e, DurationUs at) {
  static constexpr std::string_view kNames[] = {"assigned", "revoked", "lost", "position_gone", "committed", "commit_failed", "error"};
  return fmt::format("{{\"t_s\":{:.3f},\"event\":\"{}\",\"partitions\":[{}],\"from\":{},\"to\":{},\"text\":{}}}\n", static_cast<double>(at) / kSecond, kNames[static_cast<std::size_t>(e.kind)],
                     fmt::join(e.partitions, ","), e.from, e.to, json_string(e.text));
}

/// Runs the loop, shows what it does, and serves it.
class Consumption {
 public:
  Consumption(Context& context, const ConsumeCommand& command, connect::GroupConsumer& consumer, ResultFile* out)
      : context_(context), command_(command), begin_us_(context.env.clock.monotonic_us()), shown_us_(begin_us_),
        loop_(context.env, consumer, command.loop, {.stopped = [this] { return over(); }, .tick = [this] { tick(); }, .event = [this](const GroupEvent& e) { tell(e); }}, out) {}

  Result<int> run(DurationUs for_us) {
    for_us_ = for_us;
    watcher_ = watch::Watcher::start(context_.env, command_.servers, [this] { return look(); });
    if (command_.serve) SUPYO_TRY(serve());
    const Status done = loop_.run();
    show();
    block_lines_ = 0;   // the last figures stay
    const watch::View last = watcher_->view();
    brokers_answer_ = last.reachable || last.took_us == 0;
    server_.reset();
    watcher_.reset();
    if (!done) return fail(done.error());
    return kFine;
  }

  /// As of the end.
  bool brokers_answer() const { return brokers_answer_; }

  /// What is said at the end.
  std::string summary() const {
    const ConsumeTotals& t = loop_.totals();
    if (command_.json)
      return fmt::format("{{\"result\":\"ended\",\"seconds\":{:.3f},\"handled\":{},\"bytes\":{},\"lost\":{},\"gaps\":{},\"again\":{},\"skipped\":{},\"commits\":{},\"failed_commits\":{},\"rebalances\":{},\"resets\":{}}}\n",
                         seconds(), t.handled, t.bytes, t.lost, t.gaps, t.again, t.skipped, t.commits, t.failed_commits, t.rebalances, t.resets);
    std::string text = fmt::format("{} records handled in {}, lost {}, gaps {}", grouped(t.handled), human_duration(elapsed()), grouped(t.lost), grouped(t.gaps));
    if (t.again > 0) text += fmt::format(", {} of them again", grouped(t.again));
    if (t.skipped > 0) text += fmt::format("; {} skipped, their results were there", grouped(t.skipped));
    if (!brokers_answer_) return text + fmt::format("; the brokers do not answer: {} notices at its session timeout\n", command_.group);
    return text + fmt::format("; left {}\n", command_.group);
  }

 private:
  DurationUs elapsed() const { return context_.env.clock.monotonic_us() - begin_us_; }
  double seconds() const { return static_cast<double>(elapsed()) / kSecond; }
  bool over() const { return stop_requested() || (for_us_ > 0 && elapsed() >= for_us_); }

  Result<watch::View> look() {
    if (!admin_) {
      SUPYO_ASSIGN(admin_, connect::KafkaAdmin::open(command_.servers, kAdminTimeout));
    }
    return watch::look_at_cluster(*admin_, {.groups = {command_.group}, .topic = command_.topic});
  }

  Status serve() {
    SUPYO_ASSIGN(const auto address, http::parse_listen_address(command_.serve->empty() ? kDefaultServe : *command_.serve));
    SUPYO_ASSIGN(server_, http::HttpServer::start(context_.env, address, http::make_watch_api(context_.env.clock, [this] { return watcher_->view(); }, [this] { return metrics(); })));
    write_error(fmt::format("serving {}/ (both flows), /metrics, /v1/flows\n", server_->url()));
    return ok();
  }

  std::string metrics() const {
    const std::lock_guard lock(mutex_);
    return metrics_;
  }

  void tick() {
    if (context_.env.clock.monotonic_us() - shown_us_ >= kShowEvery) show();
  }

  void show() {
    const TimeUs now = context_.env.clock.monotonic_us();
    const watch::View view = watcher_->view();
    const std::vector<Row> rows = rows_of(loop_, view);
    const Row total = total_of(rows);
    const double rate = now > shown_us_ ? static_cast<double>(loop_.totals().handled - shown_handled_) * kSecond / static_cast<double>(now - shown_us_) : 0;
    shown_us_ = now;
    shown_handled_ = loop_.totals().handled;
    if (command_.serve) publish(rows);
    if (command_.json) return write_out(json(rows, total, rate));
    if (context_.out_is_terminal) return show_block(rows, total, rate, view);
    write_out(line(total, rate, view));
  }

  std::string json(const std::vector<Row>& rows, const Row& total, double rate) const {
    const auto figures = [](const Row& r) {
      return fmt::format("\"position\":{},\"committed\":{},\"lag\":{},\"log_start\":{},\"end\":{},\"headroom\":{},\"handled\":{},\"lost\":{},\"gaps\":{},\"again\":{},\"loss_in_s\":{}", json_or_null(r.position),
                         json_or_null(r.committed), json_or_null(r.lag), json_or_null(r.log_start), json_or_null(r.end), json_or_null(r.headroom), r.handled, r.lost, r.gaps, r.again,
                         r.loss_in_s ? fmt::format("{:.1f}", *r.loss_in_s) : "null");
    };
    std::string all;
    for (const Row& r : rows) all += fmt::format("{}{{\"partition\":{},\"owned\":{},{}}}", all.empty() ? "" : ",", r.partition, r.owned, figures(r));
    return fmt::format("{{\"t_s\":{:.3f},\"rate\":{:.1f},{},\"partitions\":[{}]}}\n", seconds(), rate, figures(total), all);
  }

  std::string line(const Row& t, double rate, const watch::View& view) const {
    std::string text = fmt::format("{:>5.0f} s  {}/s  position {}  committed {}  lag {}  log start {}  headroom {}  gaps {}  lost {}", seconds(), grouped(static_cast<std::uint64_t>(rate)), text_or_dash(t.position),
                                   text_or_dash(t.committed), text_or_dash(t.lag), text_or_dash(t.log_start), signed_text(t.headroom), grouped(t.gaps), grouped(t.lost));
    if (t.loss_in_s) text += fmt::format("  loses in {}", human_duration(static_cast<DurationUs>(*t.loss_in_s * kSecond)));
    if (!view.reachable && view.took_us > 0) text += "  (the brokers do not answer)";
    return text + "\n";
  }

  void show_block(const std::vector<Row>& rows, const Row& total, double rate, const watch::View& view) {
    std::string text = fmt::format("{} of {}   {}/s   {} handled in {}{}{}\n{:>9} {:>15} {:>15} {:>13} {:>15} {:>13} {:>10} {:>13}\n", command_.group, command_.topic, grouped(static_cast<std::uint64_t>(rate)),
                                   grouped(total.handled), human_duration(elapsed()), total.loss_in_s ? fmt::format("   loses in {}", human_duration(static_cast<DurationUs>(*total.loss_in_s * kSecond))) : "",
                                   !view.reachable && view.took_us > 0 ? "   the brokers do not answer" : "", "PARTITION", "POSITION", "COMMITTED", "LAG", "LOG START", "HEADROOM", "GAPS", "LOST");
    const auto add = [&text](const std::string& name, const Row& r) {
      text += fmt::format("{:>9} {:>15} {:>15} {:>13} {:>15} {:>13} {:>10} {:>13}\n", name, text_or_dash(r.position), text_or_dash(r.committed), text_or_dash(r.lag), text_or_dash(r.log_start), signed_text(r.headroom),
                          grouped(r.gaps), grouped(r.lost));
    };
    for (std::size_t i = 0; i < rows.size() && i < kRowsMax; ++i) add(fmt::format("{}{}", rows[i].owned ? "" : "(", rows[i].partition) + (rows[i].owned ? "" : ")"), rows[i]);
    if (rows.size() != 1) add("all", total);
    clear_block();
    block_lines_ = static_cast<std::size_t>(std::ranges::count(text, '\n'));
    write_out(text);
  }
  void clear_block() {
    if (block_lines_ > 0) write_out(fmt::format("\x1b[{}A\x1b[J", block_lines_));
    block_lines_ = 0;
  }

  void tell(const GroupEvent& event) {
    if (command_.json) return write_out(event_json(event, elapsed()));
    const std::string text = event_text(event);
    if (text.empty()) return;
    clear_block();
    write_error(fmt::format("{:>5.0f} s  {}\n", seconds(), text));
  }

  void publish(const std::vector<Row>& rows) {
    obs::Registry r;
    const ConsumeTotals& t = loop_.totals();
    const obs::Labels own{{"consumergroup", command_.group}, {"topic", command_.topic}};
    r.counter("supyo_consumer_records_total", "Records that this member handled.", own).add(t.handled);
    r.counter("supyo_consumer_bytes_total", "Bytes of keys and values that it took.", own).add(t.bytes);
    r.counter("supyo_consumer_resets_total", "Times that its position was not in the log.", own).add(t.resets);
    r.counter("supyo_consumer_rebalances_total", "Assignments that it got.", own).add(t.rebalances);
    r.gauge("supyo_consumer_handling_seconds", "Time spent on handling records since it started.", own).set(static_cast<double>(t.handling_us) / kSecond);
    for (const auto& [outcome, count] : {std::pair("done", t.commits), std::pair("failed", t.failed_commits)})
      r.counter("supyo_consumer_commits_total", "Commits of offsets, a partition each.", {{"consumergroup", command_.group}, {"topic", command_.topic}, {"outcome", outcome}}).add(count);
    for (const Row& row : rows) {
      const obs::Labels labels{{"consumergroup", command_.group}, {"topic", command_.topic}, {"partition", std::to_string(row.partition)}};
      r.counter("supyo_consumer_lost_records_total", "Offsets that were deleted before it came to them: it counts its own jumps, exactly.", labels).add(row.lost);
      r.counter("supyo_consumer_gap_offsets_total", "Offsets that were never records for it: transaction markers, aborted records, compaction.", labels).add(row.gaps);
      if (row.position) r.gauge("supyo_consumer_position", "The next offset that it handles.", labels).set(static_cast<double>(*row.position));
    }
    const std::lock_guard lock(mutex_);
    metrics_ = r.prometheus_text();
  }

  Context& context_;
  const ConsumeCommand& command_;
  TimeUs begin_us_, shown_us_;
  std::uint64_t shown_handled_ = 0;
  std::size_t block_lines_ = 0;
  DurationUs for_us_ = 0;
  bool brokers_answer_ = true;
  std::unique_ptr<connect::KafkaAdmin> admin_;   ///< of the watcher's thread
  mutable std::mutex mutex_;
  std::string metrics_;
  ConsumeLoop loop_;
  std::unique_ptr<watch::Watcher> watcher_;
  std::unique_ptr<http::HttpServer> server_;
};

Result<connect::GroupConsumerOptions> consumer_options(const ConsumeCommand& command) {
  connect::GroupConsumerOptions options{.servers = command.servers, .topic = command.topic, .group = command.group, .static_id = command.instance, .stopped = [] { return stop_requested(); }};
  options.client_id = "supyo-consume";
  if (command.reset == "latest") options.reset = connect::GroupReset::kLatest;
  if (command.reset == "error") options.reset = connect::GroupReset::kError;
  options.auto_commit = command.loop.commit == CommitOrder::kAuto;
  SUPYO_ASSIGN(const auto properties, parse_assignments(command.properties, "--property"));
  options.properties = {properties.begin(), properties.end()};
  SUPYO_ASSIGN(const auto settings, parse_assignments(command.client_settings, "--client"));
  options.client_settings = {settings.begin(), settings.end()};
  return options;
}

Status read_options(ConsumeCommand& command) {
  if (!command.data.empty())
    return fail(ErrorCode::kUsage, "--data: a consumer group needs a broker that coordinates it", fmt::format("supyo broker --data {} & supyo consume --bootstrap 127.0.0.1:9092 ...", command.data));
  command.loop.commit = std::ranges::find(kOrders, std::string_view(command.commit), &std::pair<std::string_view, CommitOrder>::first)->second;
  SUPYO_ASSIGN(command.loop.sleep_us, parse_duration(command.sleep));
  SUPYO_ASSIGN(command.loop.commit_interval_us, parse_duration(command.interval));
  const CommitOrder order = command.loop.commit;
  constexpr std::size_t kJavaPoll = 500;   // max.poll.records of Java's client
  command.loop.batch = command.batch.value_or(order == CommitOrder::kAfter || order == CommitOrder::kAuto ? 1 : kJavaPoll);
  if (order == CommitOrder::kTxn && command.loop.out.empty())
    return fail(ErrorCode::kUsage, "--commit txn keeps the position with the results, and there is no file for them", "add --out FILE");
  return ok();
}

/// The client's own wait for brokers cannot be stopped; this one can.
Status wait_for_topic(const Context& context, const ConsumeCommand& command) {
  SUPYO_ASSIGN(const auto admin, connect::KafkaAdmin::open(command.servers, kAdminTimeout));
  for (const TimeUs end = context.env.clock.monotonic_us() + kWaitForBrokers;;) {
    const auto ends = admin->ends(command.topic);
    if (ends) return ok();
    if (ends.error().code != ErrorCode::kOutsideUnavailable || context.env.clock.monotonic_us() >= end) return fail(ends.error());
    if (stop_requested()) return fail(ErrorCode::kCancelled, fmt::format("stopped while waiting for {}", command.servers));
  }
}

Result<int> run_consume(Context& context, ConsumeCommand command) {
  SUPYO_TRY(read_options(command));
  DurationUs for_us = 0;
  if (!command.for_time.empty()) {
    SUPYO_ASSIGN(for_us, parse_duration(command.for_time));
  }
  SUPYO_ASSIGN(const auto options, consumer_options(command));
  SUPYO_TRY(wait_for_topic(context, command));
  std::unique_ptr<ResultFile> out;
  if (!command.loop.out.empty()) {
    SUPYO_ASSIGN(out, ResultFile::open(context.env.files, command.loop.out, command.loop.commit == CommitOrder::kTxn, fmt::format("{} of {}", command.group, command.topic)));
  }
  SUPYO_ASSIGN(auto consumer, connect::GroupConsumer::open(options));
  std::string settings;
  for (const auto& [name, value] : consumer->settings()) settings += fmt::format("{}{}={}", settings.empty() ? "" : " ", name, value);
  if (!command.json) write_error(fmt::format("{} reads {} at {}; commit {}, reset {}\nclient: {}\n", command.group, command.topic, command.servers, command.commit, command.reset, settings));
  Consumption consumption(context, command, *consumer, out.get());
  auto done = consumption.run(for_us);
  // Leaves the group. Without brokers the client would wait for them as long as a session lasts: the process ends, and it with it.
  if (consumption.brokers_answer()) consumer.reset();
  else (void)consumer.release();
  write_out(command.json ? consumption.summary() : "");
  if (!command.json) write_error(consumption.summary());
  return done;
}

}  // namespace

void add_consume(CLI::App& app, Context& context, int& result) {
  auto command = std::make_shared<ConsumeCommand>();
  CLI::App* sub = app.add_subcommand("consume", "read a topic as a member of a consumer group: rate, lag, headroom, losses");
  sub->add_option("--topic", command->topic, "topic")->required();
  sub->add_option("--group", command->group, "consumer group")->required();
  sub->add_option("--bootstrap", command->servers, "brokers: host:port, several with commas")->capture_default_str();
  sub->add_option("--data", command->data, "an embedded log's directory is read through its broker: this tells how");
  sub->add_option("--sleep", command->sleep, "handling a record takes so long: 2ms makes 500 records a second at most")->capture_default_str();
  sub->add_option("--reset", command->reset, "where to go on when the position is not in the log any more, or none was committed")->check(CLI::IsMember({"earliest", "latest", "error"}))->capture_default_str();
  sub->add_option("--commit", command->commit,
                  "when offsets are committed: before records are handled (a crash loses), after (a crash repeats), txn: with the results in --out (neither), "
                  "auto: by the client, java: as Java's client does by itself")
      ->check(CLI::IsMember({"before", "after", "txn", "auto", "java"}))->capture_default_str();
  sub->add_option("--commit-interval", command->interval, "after, txn, java: at most so often")->capture_default_str();
  sub->add_option("--batch", command->batch, "records taken at once; 1 with after and auto, else 500")->check(CLI::Range(std::size_t{1}, std::size_t{100'000}));
  sub->add_option("--out", command->loop.out, "append the value of each handled record to this file, a line each; durable before it is committed");
  sub->add_option("--for", command->for_time, "end after so long: 30s");
  sub->add_option("--max", command->loop.max, "end after so many records");
  sub->add_option("--instance", command->instance, "group.instance.id: a static member");
  sub->add_option("--property", command->properties, "K=V: of the client, by Java's names: isolation.level=read_uncommitted")->allow_extra_args(false);
  sub->add_option("--client", command->client_settings, "K=V: of librdkafka, by its own names: queued.max.messages.kbytes=65536")->allow_extra_args(false);
  CLI::Option* serve = sub->add_option("--serve", command->serve, fmt::format("[ADDR:]PORT: serve metrics and a page of both flows; {} without a port", kDefaultServe));
  serve->expected(0, 1);
  sub->add_flag("--json", command->json, "one object a second, one an event, and one at the end");
  sub->footer("Example:\n  supyo broker --data /tmp/supyo-log --listen 127.0.0.1:9092 &\n  supyo gen product --count 20000 --to kafka://127.0.0.1:9092/events\n"
              "  supyo consume --topic events --group fast-consumer-group --for 3s\n  supyo consume --topic events --group slow-consumer-group --sleep 2ms --for 10s");
  sub->callback([command, serve, &context, &result] {
    if (serve->count() > 0 && !command->serve) command->serve.emplace();
    const auto done = run_consume(context, *command);
    result = done ? *done : report(done.error());
  });
}

}  // namespace supyo::cli
