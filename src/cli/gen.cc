#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "cli/context.h"
#include "cli/drive.h"
#include "cli/gen_serve.h"
#include "cli/gen_target.h"
#include "cli/signals.h"
#include "core/base/duration.h"
#include "data/types/value.h"
#include "lab/workload/generator.h"

/// supyo gen DOMAIN: the event generator of the labs, by hand.
namespace supyo::cli {
namespace {

struct GenOptions {
  std::string domain, to = "-", disorder = "0s", truth, bound, start, ledger;
  std::optional<std::string> serve;
  std::vector<std::string> properties;
  workload::GeneratorOptions generator;
  bool live = false;
  bool json = false;
};

class Generation {
 public:
  Generation(Context& context, const GenOptions& options) : context_(context), options_(options) {}

  Status run() {
    workload::GeneratorOptions generator_options = options_.generator;
    SUPYO_ASSIGN(generator_options.disorder_us, parse_duration(options_.disorder));
    if (options_.live) {
      generator_options.start_us = context_.env.clock.now_us();
    } else if (!options_.start.empty()) {
      SUPYO_ASSIGN(generator_options.start_us, parse_timestamp(options_.start));
    }
    if (!options_.live && generator_options.count == 0 && options_.to != "-")
      return fail(ErrorCode::kUsage, "without --count this never ends, as fast as the disk takes it", "--count N, or --live: one record when it is due, until Ctrl-C");
    SUPYO_ASSIGN(auto generator, workload::make_generator(options_.domain, generator_options));
    if (!options_.truth.empty()) {
      DurationUs bound = generator_options.disorder_us;
      if (!options_.bound.empty()) {
        SUPYO_ASSIGN(bound, parse_duration(options_.bound));
      }
      generator->track_truth(bound);
    }
    SUPYO_ASSIGN(const auto properties, parse_assignments(options_.properties, "--property"));
    std::unique_ptr<workload::Ledger> ledger;
    if (!options_.ledger.empty()) {
      SUPYO_ASSIGN(ledger, workload::Ledger::open(context_.env.files, options_.ledger));
    }
    SUPYO_ASSIGN(auto target, open_gen_target(context_, options_.to, ledger.get(), properties));
    SUPYO_TRY(pump(*generator, *target));
    if (options_.truth.empty()) return ok();
    return context_.env.files.write_atomically(options_.truth, generator->truth());
  }

  std::uint64_t records() const { return records_; }

 private:
  Status pump(workload::Generator& generator, GenTarget& target) {
    workload::GeneratedRecord record;
    const TimeUs begin = context_.env.clock.monotonic_us();
    TimeUs shown = begin;
    while (!stop_requested() && generator.next(record)) {
      if (options_.live) SUPYO_TRY(wait_until(record.due_us, target));
      if (stop_requested()) break;
      SUPYO_TRY(target.add(record));
      if (++records_ % 4096 == 0) progress(begin, shown);
    }
    if (shown != begin) write_error("\r\x1b[K");
    return target.finish();
  }

  /// Readers see what is due before we sleep. At high rates one flush covers what becomes due in a few milliseconds: a sync a record would keep the disk
  /// from everybody who commits on it.
  Status wait_until(TimeUs due, GenTarget& target) {
    const env::Clock& clock = context_.env.clock;
    if (clock.now_us() >= due) return ok();
    wait_for(flushed_us_ + kFlushInterval);
    if (stop_requested()) return ok();
    SUPYO_TRY(target.flush());
    flushed_us_ = clock.now_us();
    wait_for(due);
    return ok();
  }

  void wait_for(TimeUs when) const {
    while (!stop_requested()) {
      const DurationUs left = when - context_.env.clock.now_us();
      if (left <= 0) return;
      context_.env.threads->idle(std::min<DurationUs>(left, 50 * kMillisecond));
    }
  }

  void progress(TimeUs begin, TimeUs& shown) const {
    const TimeUs now = context_.env.clock.monotonic_us();
    if (!context_.error_is_terminal || options_.json || now - begin < 2 * kSecond || now - shown < kSecond / 2) return;
    shown = now;
    const double rate = static_cast<double>(records_) / (static_cast<double>(now - begin) / kSecond);
    std::string line = fmt::format("\r\x1b[K{} records, {}/s", grouped(records_), grouped(static_cast<std::uint64_t>(rate)));
    const std::uint64_t count = options_.generator.count;
    if (count > records_ && !options_.live) line += fmt::format(", {} left", human_duration(static_cast<DurationUs>(static_cast<double>(count - records_) / rate * kSecond)));
    write_error(line);
  }

  Context& context_;
  const GenOptions& options_;
  static constexpr DurationUs kFlushInterval = 5 * kMillisecond;
  TimeUs flushed_us_ = 0;
  std::uint64_t records_ = 0;
};

int run_gen(Context& context, const GenOptions& options) {
  if (options.serve) {
    const auto disorder = parse_duration(options.disorder);
    if (!disorder) return report(disorder.error());
    LiveGenerator::Spec spec{.domain = options.domain, .to = options.to, .options = options.generator, .ledger_file = options.ledger};
    spec.options.disorder_us = *disorder;
    auto properties = parse_assignments(options.properties, "--property");
    if (!properties) return report(properties.error());
    spec.properties = std::move(*properties);
    return serve_generators(context, std::move(spec), *options.serve, options.json);
  }
  Generation generation(context, options);
  const Status done = generation.run();
  if (!done) return report(done.error());
  if (options.to == "-") return kFine;
  if (options.json) write_out(fmt::format("{{\"records\":{},\"to\":{}}}\n", generation.records(), json_string(options.to)));
  else write_error(fmt::format("{} records to {}\n", grouped(generation.records()), options.to));
  return kFine;
}

}  // namespace

void add_gen(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<GenOptions>();
  CLI::App* sub = app.add_subcommand("gen", "generate events: the same seed gives the same bytes");
  sub->add_option("DOMAIN", options->domain, fmt::format("what happens: {}", fmt::join(workload::domains(), ", ")))->required();
  sub->add_option("--tps", options->generator.tps, "events a second, in event time");
  sub->add_option("--count", options->generator.count, "so many events; without it no end");
  sub->add_option("--seed", options->generator.seed, "seed");
  sub->add_option("--keys", options->generator.keys, "how many products, users or riders there are");
  sub->add_option("--duplicates", options->generator.duplicates, "share of events that are sent twice, 0 to 1");
  sub->add_option("--disorder", options->disorder, "events are sent up to so long after they happened");
  sub->add_option("--late", options->generator.late, "share of events that are sent later than that, 0 to 1");
  sub->add_flag("--resend", options->generator.resend, "the producer restarts now and then and sends its last events again");
  sub->add_option("--start", options->start, "event time of the first event: '2026-01-01 00:00:00'");
  sub->add_flag("--live", options->live, "from now on, each event when it is due, until --count or Ctrl-C");
  sub->add_option("--payload", options->generator.payload_bytes, "large events: so many bytes more in each, in a field \"payload\"");
  sub->add_option("--to", options->to, "- (standard output), a file, embedded:DIR/topic, or kafka://host:port/topic");
  sub->add_option("--property", options->properties, "K=V: of the Kafka client, by Java's names: acks=1")->allow_extra_args(false);
  sub->add_option("--truth", options->truth, "write the results that the example pipeline must give to this file");
  sub->add_option("--bound", options->bound, "watermark bound of that pipeline; by default --disorder");
  sub->add_option("--ledger", options->ledger, "write to this file what became of every record: acknowledged, failed, unknown (topics)");
  CLI::Option* serve = sub->add_option("--serve", options->serve, "[ADDR:]PORT: generate when told over HTTP: GET /start/{tps}, /stop, /status, POST /v1/generators; 8081 without a port");
  serve->expected(0, 1);
  sub->add_flag("--json", options->json, "what was done as one JSON document");
  sub->footer("Example:\n  supyo gen product --count 3 --seed 7\n  supyo gen product --tps 2000 --count 10000 --disorder 1s --to embedded:/tmp/supyo-log/events\n"
              "  supyo gen product --serve 8090 --payload 1000 --to embedded:/tmp/supyo-log/events    (then: curl localhost:8090/start/2000)");
  sub->callback([options, serve, &context, &result] {
    if (serve->count() > 0 && !options->serve) options->serve.emplace();
    result = run_gen(context, *options);
  });
}

}  // namespace supyo::cli
