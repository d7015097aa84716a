#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cli/context.h"
#include "cli/gen_target.h"
#include "lab/workload/generator.h"
#include "lab/workload/ledger.h"
#include "serve/http/http_message.h"

/// supyo gen --serve: generators that are started, changed and stopped over HTTP.
namespace supyo::cli {

/// One generator: a thread that sends each record when it is due, until it is stopped, has sent all, or the service ends. When the log refuses, it counts what
/// became of the records, waits a moment and goes on. Thread-safe.
class LiveGenerator {
 public:
  struct Spec {
    std::string domain, to;
    workload::GeneratorOptions options;
    std::string ledger_file = {};
    connect::ClientProperties properties = {};
  };
  /// Opens the target, so that what is wrong with it is told to whoever asked. Errors: those of open_gen_target and make_generator.
  static Result<std::unique_ptr<LiveGenerator>> start(const Context& context, Spec spec);
  ~LiveGenerator();

  void set_rate(double tps);        ///< runs again if it was stopped
  void stop();                      ///< ends when what was added is flushed
  bool finished() const { return finished_.load(); }
  bool runs() const { return wanted_.load() && !finished_.load(); }
  /// One JSON object.
  std::string status_json(const std::string& id) const;
  workload::Ledger::Counts counts() const { return ledger_->counts(); }
  double tps() const { return tps_.load(); }

 private:
  LiveGenerator(const Context& context, Spec spec) : context_(context), spec_(std::move(spec)) {}
  void work();
  void send_what_is_due();
  void wait_for_due();
  void settle(const Status& done);

  const Context& context_;
  Spec spec_;
  std::unique_ptr<workload::Ledger> ledger_;
  std::unique_ptr<GenTarget> target_;                ///< of the thread; null while the log refuses to be opened
  std::unique_ptr<workload::Generator> generator_;   ///< of the thread
  workload::GeneratedRecord record_;
  bool have_record_ = false;
  TimeUs flushed_us_ = 0;
  std::atomic<double> tps_{0};
  std::atomic<bool> wanted_{true}, finished_{false}, idle_{false}, ended_{false};
  std::atomic<std::uint64_t> rate_changes_{0}, given_{0};
  std::uint64_t rate_changes_seen_ = 0;
  std::atomic<DurationUs> behind_us_{0};
  mutable std::mutex error_mutex_;
  std::string last_error_;
  std::unique_ptr<env::Thread> thread_;
};

/// What the server answers. handle() is called by one thread; the destructor stops all generators and waits for them.
class GeneratorService {
 public:
  /// `defaults` are those of the command line: domain, topic, options.
  GeneratorService(const Context& context, LiveGenerator::Spec defaults) : context_(context), defaults_(std::move(defaults)) {}

  /// GET /start/{tps}, /stop, /status, /v1/generators, /metrics; POST /v1/generators (JSON: tps, count, seed, keys, payload_bytes, duplicates, late, disorder, topic);
  /// DELETE /v1/generators/{topic}.
  http::Response handle(const http::Request& request);
  /// Ends all generators; what they added is flushed.
  void stop();
  workload::Ledger::Counts totals() const;

 private:
  http::Response start_default(const std::string& rate);
  http::Response create(const http::Request& request);
  http::Response remove(const std::string& id);
  http::Response status(int code = 200) const;
  std::string metrics() const;
  std::string target_of(const std::string& topic) const;
  std::string default_topic() const;

  const Context& context_;
  LiveGenerator::Spec defaults_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<LiveGenerator>> generators_;   ///< by topic
};

/// Serves until Ctrl-C. `listen` as on the command line. The exit status.
int serve_generators(const Context& context, LiveGenerator::Spec defaults, const std::string& listen, bool json);

}  // namespace supyo::cli
