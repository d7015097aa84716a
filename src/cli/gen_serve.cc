#include "cli/gen_serve.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/signals.h"
#include "core/base/duration.h"
#include "core/obs/metrics.h"
#include "serve/http/server.h"

namespace supyo::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kGeneratorsMax = 16;
constexpr double kRateMax = 10'000'000;
constexpr DurationUs kFlushWhenIdle = 5 * kMillisecond;     // one sync covers what becomes due in so long
constexpr DurationUs kFlushWhenBusy = 100 * kMillisecond;   // and is never later than this when there is no pause
constexpr DurationUs kPause = 20 * kMillisecond;
constexpr DurationUs kRetry = kSecond;                      // after the log refused

http::Response problem(int status, const Error& error) { return http::problem(status, error.to_string()); }

std::optional<double> parse_rate(std::string_view text) {
  double rate = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !(rate > 0 && rate <= kRateMax)) return std::nullopt;
  return rate;
}

/// Whether a page of another site made a browser send this: a GET that changes something must not be had by an <img>. Source: Fetch Metadata (W3C).
bool is_cross_site(const http::Request& request) {
  const std::string_view site = request.header("sec-fetch-site");
  return !site.empty() && site != "same-origin" && site != "none";
}

Status read_options(const json& body, LiveGenerator::Spec& spec, std::string& topic) {
  const auto bad = [](const std::string& what) { return fail(ErrorCode::kBadOptionValue, what, "tps, count, seed, keys, payload_bytes, duplicates, late (numbers), disorder, topic (text)"); };
  if (!body.is_object()) return bad("the body is not a JSON object");
  const auto whole = [](const json& value, std::uint64_t most) { return value.is_number_unsigned() && value.get<std::uint64_t>() <= most; };
  for (const auto& [key, value] : body.items()) {
    if ((key == "tps" || key == "duplicates" || key == "late") && value.is_number()) {
      (key == "tps" ? spec.options.tps : key == "late" ? spec.options.late : spec.options.duplicates) = value.get<double>();
    } else if ((key == "count" || key == "seed") && whole(value, UINT64_MAX)) {
      (key == "count" ? spec.options.count : spec.options.seed) = value.get<std::uint64_t>();
    } else if ((key == "keys" || key == "payload_bytes") && whole(value, UINT32_MAX)) {
      (key == "keys" ? spec.options.keys : spec.options.payload_bytes) = value.get<std::uint32_t>();
    } else if (key == "disorder" && value.is_string()) {
      SUPYO_ASSIGN(spec.options.disorder_us, parse_duration(value.get<std::string>()));
    } else if (key == "topic" && value.is_string()) {
      topic = value.get<std::string>();
      // A name, never a path: the service writes below the directory that its command line named, and nowhere else.
      if (topic.empty() || topic.find('/') != std::string::npos || topic.starts_with('.')) return bad(fmt::format("'{}' is no topic", topic));
    } else {
      return bad(fmt::format("'{}' is unknown or has the wrong type", key));
    }
  }
  return ok();
}

}  // namespace

Result<std::unique_ptr<LiveGenerator>> LiveGenerator::start(const Context& context, Spec spec) {
  std::unique_ptr<LiveGenerator> live(new LiveGenerator(context, std::move(spec)));
  live->spec_.options.start_us = context.env.clock.now_us();
  live->tps_ = live->spec_.options.tps;
  SUPYO_ASSIGN(live->generator_, workload::make_generator(live->spec_.domain, live->spec_.options));
  SUPYO_ASSIGN(live->ledger_, workload::Ledger::open(context.env.files, live->spec_.ledger_file));
  SUPYO_ASSIGN(live->target_, open_gen_target(context, live->spec_.to, live->ledger_.get(), live->spec_.properties));
  live->thread_ = context.env.threads->start("generator", [g = live.get()] { g->work(); });
  return live;
}

LiveGenerator::~LiveGenerator() {
  ended_ = true;
  if (thread_) thread_->join();
}

void LiveGenerator::set_rate(double tps) {
  tps_ = tps;
  rate_changes_.fetch_add(1);
  wanted_ = true;
}

void LiveGenerator::stop() {
  wanted_ = false;
  while (!idle_.load() && !finished_.load()) context_.env.threads->idle(kMillisecond);
}

void LiveGenerator::work() {
  while (!ended_.load()) {
    if (!wanted_.load()) {
      if (!idle_.load() && target_) settle(target_->finish());
      idle_ = true;
      context_.env.threads->idle(kPause);
      continue;
    }
    idle_ = false;
    // A new rate begins now; what would have been due meanwhile is not made up for.
    if (const std::uint64_t changes = rate_changes_.load(); changes != rate_changes_seen_) {
      rate_changes_seen_ = changes;
      generator_->set_rate(tps_.load(), context_.env.clock.now_us());
    }
    if (!have_record_) have_record_ = generator_->next(record_);
    if (!have_record_) break;
    send_what_is_due();
  }
  if (target_) settle(target_->finish());
  finished_ = true;
}

void LiveGenerator::send_what_is_due() {
  const TimeUs now = context_.env.clock.now_us();
  if (now < record_.due_us) return wait_for_due();
  behind_us_ = now - record_.due_us;
  if (!target_) {
    auto opened = open_gen_target(context_, spec_.to, ledger_.get(), spec_.properties);
    if (!opened) return settle(fail(opened.error()));
    target_ = std::move(*opened);
  }
  const Status added = target_->add(record_);
  have_record_ = false;
  given_.fetch_add(1);
  settle(added);
  if (target_ && now - flushed_us_ >= kFlushWhenBusy) {
    flushed_us_ = now;
    settle(target_->flush());
  }
}

void LiveGenerator::wait_for_due() {
  behind_us_ = 0;
  const TimeUs now = context_.env.clock.now_us();
  if (const DurationUs early = flushed_us_ + kFlushWhenIdle - now; early > 0) return context_.env.threads->idle(std::min(early, record_.due_us - now));
  flushed_us_ = now;
  if (target_) settle(target_->flush());
  context_.env.threads->idle(std::clamp<DurationUs>(record_.due_us - context_.env.clock.now_us(), 0, kPause));
}

/// After an error the target is closed, its outcomes in the ledger, and opened again after a pause: opening finds out what the log holds.
void LiveGenerator::settle(const Status& done) {
  if (done) return;
  {
    const std::lock_guard lock(error_mutex_);
    last_error_ = done.error().to_string();
  }
  if (target_) (void)target_->finish();   // the outcomes of what is still in it; its error is the same one
  target_.reset();
  for (DurationUs waited = 0; waited < kRetry && !ended_.load(); waited += kPause) context_.env.threads->idle(kPause);
}

std::string LiveGenerator::status_json(const std::string& id) const {
  const workload::Ledger::Counts c = ledger_->counts();
  std::string why, error;
  for (const auto& [name, count] : c.why) why += fmt::format("{}{}:{}", why.empty() ? "" : ",", json_string(name), count);
  {
    const std::lock_guard lock(error_mutex_);
    error = last_error_;
  }
  const std::uint64_t given = given_.load(), known = c.acknowledged + c.failed + c.unknown;
  const char* state = finished_.load() ? "finished" : wanted_.load() ? "running" : "stopped";
  return fmt::format("{{\"id\":{},\"state\":\"{}\",\"tps\":{:g},\"payload_bytes\":{},\"to\":{},\"acknowledged\":{},\"failed\":{},\"unknown\":{},\"in_flight\":{},\"behind_ms\":{},\"why\":{{{}}}{}}}",
                     json_string(id), state, tps_.load(), spec_.options.payload_bytes, json_string(spec_.to), c.acknowledged, c.failed, c.unknown, given > known ? given - known : 0,
                     behind_us_.load() / kMillisecond, why, error.empty() ? "" : ",\"last_error\":" + json_string(error));
}

std::string GeneratorService::default_topic() const { return env::base_name(defaults_.to); }
/// "embedded:log/a" and "kafka://host:port/a": what is after the last '/' is the topic.
std::string GeneratorService::target_of(const std::string& topic) const { return env::join_path(env::parent_path(defaults_.to), topic); }

http::Response GeneratorService::handle(const http::Request& request) {
  constexpr std::string_view kStart = "/start/", kGenerators = "/v1/generators";
  const std::lock_guard lock(mutex_);
  const std::string& path = request.path;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool changes = !reads || path.starts_with(kStart) || path == "/stop";
  if (changes && is_cross_site(request)) return http::problem(403, "a page of another site may not start or stop anything here");
  if (reads && (path == "/status" || path == kGenerators)) return status();
  if (reads && path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", metrics()};
  if (request.method == "GET" && path.starts_with(kStart)) return start_default(path.substr(kStart.size()));
  if (request.method == "GET" && path == "/stop") {
    for (const auto& [topic, generator] : generators_) generator->stop();
    return status();
  }
  if (request.method == "POST" && path == kGenerators) return create(request);
  if (request.method == "DELETE" && path.starts_with(kGenerators) && path.size() > kGenerators.size() + 1) return remove(path.substr(kGenerators.size() + 1));
  return http::problem(404, "GET /start/{tps}, /stop, /status, /metrics; GET and POST /v1/generators; DELETE /v1/generators/{id}");
}

http::Response GeneratorService::start_default(const std::string& text) {
  const auto rate = parse_rate(text);
  if (!rate) return problem(400, Error{ErrorCode::kBadOptionValue, fmt::format("'{}' is no rate", text), "events a second, above 0 and up to 10,000,000: /start/1000"});
  if (const auto found = generators_.find(default_topic()); found != generators_.end() && !found->second->finished()) {
    found->second->set_rate(*rate);
    return status();
  }
  generators_.erase(default_topic());
  LiveGenerator::Spec spec = defaults_;
  spec.options.tps = *rate;
  auto started = LiveGenerator::start(context_, std::move(spec));
  if (!started) return problem(started.error().code == ErrorCode::kStateLocked ? 409 : 400, started.error());
  generators_[default_topic()] = std::move(*started);
  return status();
}

http::Response GeneratorService::create(const http::Request& request) {
  LiveGenerator::Spec spec = defaults_;
  std::string topic = default_topic();
  const json body = json::parse(request.body, nullptr, false);
  if (const Status read = read_options(body, spec, topic); !read) return problem(400, read.error());
  if (const auto found = generators_.find(topic); found != generators_.end()) {
    if (found->second->runs()) return problem(409, Error{ErrorCode::kAlreadyExists, fmt::format("a generator writes to {} already", topic), fmt::format("DELETE /v1/generators/{} first", topic)});
    generators_.erase(found);
  }
  if (generators_.size() >= kGeneratorsMax) return http::problem(409, fmt::format("there are {} generators already", kGeneratorsMax));
  spec.to = target_of(topic);
  if (topic != default_topic() && !spec.ledger_file.empty()) spec.ledger_file += "." + topic;
  auto started = LiveGenerator::start(context_, std::move(spec));
  if (!started) return problem(started.error().code == ErrorCode::kStateLocked ? 409 : 400, started.error());
  const auto& placed = generators_[topic] = std::move(*started);
  return {201, "application/json", placed->status_json(topic) + "\n"};
}

http::Response GeneratorService::remove(const std::string& id) {
  const auto found = generators_.find(id);
  if (found == generators_.end()) return http::problem(404, fmt::format("there is no generator '{}'", id));
  found->second->stop();
  const std::string last = found->second->status_json(id);
  generators_.erase(found);
  return {200, "application/json", last + "\n"};
}

http::Response GeneratorService::status(int code) const {
  std::string all;
  for (const auto& [topic, generator] : generators_) all += (all.empty() ? "" : ",") + generator->status_json(topic);
  return {code, "application/json", fmt::format("{{\"generators\":[{}]}}\n", all)};
}

std::string GeneratorService::metrics() const {
  obs::Registry registry;
  for (const auto& [topic, generator] : generators_) {
    const workload::Ledger::Counts c = generator->counts();
    for (const auto& [outcome, count] : {std::pair("acknowledged", c.acknowledged), std::pair("failed", c.failed), std::pair("unknown", c.unknown)})
      registry.counter("supyo_generated_records_total", "Records sent, by what the producer knows of them.", {{"topic", topic}, {"outcome", outcome}}).add(count);
    registry.gauge("supyo_generator_target_rate", "Events a second that were asked for; 0 while it does not run.", {{"topic", topic}}).set(generator->runs() ? generator->tps() : 0);
  }
  return registry.prometheus_text();
}

void GeneratorService::stop() {
  const std::lock_guard lock(mutex_);
  for (const auto& [topic, generator] : generators_) generator->stop();
}

workload::Ledger::Counts GeneratorService::totals() const {
  const std::lock_guard lock(mutex_);
  workload::Ledger::Counts sum;
  for (const auto& [topic, generator] : generators_) {
    const workload::Ledger::Counts c = generator->counts();
    sum.acknowledged += c.acknowledged;
    sum.failed += c.failed;
    sum.unknown += c.unknown;
  }
  return sum;
}

int serve_generators(const Context& context, LiveGenerator::Spec defaults, const std::string& listen, bool json_output) {
  const auto address = http::parse_listen_address(listen);
  if (!address) return report(address.error());
  if (!(defaults.to.starts_with("embedded:") || defaults.to.starts_with("kafka://")) || defaults.to.ends_with('/') || defaults.to.find('/') == std::string::npos)
    return report(Error{ErrorCode::kUsage, "--serve needs a topic to write to", "--to embedded:DIR/topic or --to kafka://host:port/topic"});
  const std::string topic = defaults.to;
  GeneratorService service(context, std::move(defaults));
  const auto server = http::HttpServer::start(context.env, *address, [&](const http::Request& request) { return service.handle(request); }, {.writes = true});
  if (!server) return report(server.error());
  write_error(fmt::format("{}: GET /start/{{tps}}, /stop, /status, /metrics; POST /v1/generators. Writes to {}\n", (*server)->url(), topic));
  while (!stop_requested()) context.env.threads->idle(kPause);
  service.stop();
  const workload::Ledger::Counts c = service.totals();
  if (json_output) write_out(fmt::format("{{\"acknowledged\":{},\"failed\":{},\"unknown\":{}}}\n", c.acknowledged, c.failed, c.unknown));
  else write_error(fmt::format("{} records acknowledged, {} failed, {} unknown\n", grouped(c.acknowledged), grouped(c.failed), grouped(c.unknown)));
  return kFine;
}

}  // namespace supyo::cli
