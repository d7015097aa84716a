// Simulated lives of a whole job: SQL text, engine, journal, embedded log and file sink on a machine in memory that loses power, forgets what
// was not synced, tears pages, fails calls and fills up, at moments that the seed draws. Each seed runs twice and must do the same.
//
//   supyo_sim [--seeds N] [--from SEED]      prints what it reached; closes with 'N passed, N failed'
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fault_point.h"
#include "core/base/hash.h"
#include "core/env/sim/sim_env.h"
#include "data/types/value.h"
#include "engine/job/engine.h"
#include "sql/syntax/parser.h"

namespace supyo {
namespace {

constexpr std::uint64_t kWorkloads = 8;      // inputs whose fault-free result is computed once
constexpr std::size_t kRows = 300;
constexpr int kMostSteps = 200'000;          // of one life: more is a livelock

constexpr const char* kSql = R"(
  CREATE TABLE ev (id BIGINT, k STRING, v BIGINT NOT NULL, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
    WITH ('connector'='filesystem', 'path'='in', 'format'='csv', 'csv.null-literal'='');
  CREATE TABLE sums (k STRING, s TIMESTAMP(3), n BIGINT, total BIGINT) WITH ('connector'='kafka', 'topic'='sums',
    'properties.bootstrap.servers'='embedded:log', 'format'='json', 'scan.startup.mode'='earliest-offset', 'scan.bounded.mode'='latest-offset');
  CREATE TABLE before (id BIGINT, k STRING, v BIGINT, p BIGINT) WITH ('connector'='filesystem', 'path'='out', 'format'='csv');
)";
constexpr const char* kInsert = R"(
  EXECUTE STATEMENT SET BEGIN
    INSERT INTO sums SELECT k, window_start, COUNT(*), SUM(v) FROM TABLE(TUMBLE(TABLE ev, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY k, window_start, window_end;
    INSERT INTO before SELECT id, k, v, LAG(v) OVER (PARTITION BY k ORDER BY ts) FROM ev;
  END;
)";

using Rows = std::vector<std::string>;

std::string input_of(std::uint64_t workload) {
  env::SeededRandom random(workload + 1);
  std::string text;
  for (std::size_t i = 0; i < kRows; ++i) {
    const std::uint64_t disorder = random.below(20) == 0 ? random.below(12'000) : random.below(1'800);  // some come too late for their window
    const std::uint64_t ms = 20'000 + i * 100 - std::min<std::uint64_t>(disorder, 20'000 + i * 100);
    text += fmt::format("{},k{},{},2026-01-01 00:{:02}:{:02}.{:03}\n", i, random.below(7), random.below(25) == 0 ? "" : std::to_string(random.below(100)), ms / 60'000, ms / 1000 % 60, ms % 1000);
  }
  return text;
}

/// What one life draws: settings of the engine, faults, and when it ends.
struct Life {
  std::map<std::string, std::string> settings;
  std::uint64_t fault_one_in = 0;     // 0: calm
  int steps = kMostSteps;             // then the end, if the job has not finished
  bool power = false;                 // a lost machine rather than a killed process
};

const std::string& scratch() {
  static const std::string path = (std::filesystem::temp_directory_path() / fmt::format("supyo-sim-{}", ::getpid())).string();
  return path;
}

Life draw(env::Random& random, bool healed) {
  Life life;
  const auto one_of = [&](std::initializer_list<const char*> values) { return std::string(*(values.begin() + random.below(values.size()))); };
  life.settings = {{"parallelism.default", one_of({"1", "2", "3"})},
                   {"supyo.batch.rows", one_of({"1", "7", "64", "1024"})},
                   {"execution.checkpointing.interval", one_of({"1ms", "3ms", "20ms"})},
                   {"supyo.epoch.rows", one_of({"0", "5", "50"})},
                   {"supyo.journal.segment-size", one_of({"4kb", "64kb"})},
                   {"supyo.snapshot.after", one_of({"1kb", "16kb"})}};
  // What spills is real files, the same for both runs of a seed; with every life another backend may go on.
  if (random.below(4) == 0) {
    life.settings["state.backend.type"] = "rocksdb";
    life.settings["state.backend.rocksdb.memory.fixed-per-slot"] = "1kb";
    life.settings["state.backend.rocksdb.localdir"] = scratch();
  }
  if (healed) return life;
  if (random.below(3) != 0) life.fault_one_in = 50 + random.below(2000);
  if (random.below(4) != 0) life.steps = static_cast<int>(1 + random.below(900));
  life.power = random.below(2) == 0;
  return life;
}

class World {
 public:
  World(std::uint64_t seed, std::uint64_t workload) : sim_(seed), faults_(hash_u64(seed ^ 0x5117)), random_(hash_u64(seed)) {
    const Status put = prepare(input_of(workload));
    SUPYO_CHECK(put.has_value());
  }

  /// True when the job finished in this life. An error that no fault explains is the campaign's finding.
  Result<bool> live(const Life& life) {
    bool faulted = false;
    if (life.fault_one_in > 0)
      sim_.files().set_fault_hook([&, one_in = life.fault_one_in](const env::FileOperation&) -> std::optional<env::SimFault> {
        if (faults_.below(one_in) != 0) return std::nullopt;
        faulted = true;
        constexpr env::SimFault kKinds[] = {env::SimFault::kIo, env::SimFault::kDiskFull, env::SimFault::kPowerOff};
        return kKinds[faults_.below(3)];
      });
    const auto finished = run(life);
    sim_.files().set_fault_hook(nullptr);
    if (life.power || faulted) sim_.files().crash();
    else sim_.files().kill_process();
    if (!finished && !faulted) return finished;
    return finished.value_or(false);
  }

  /// Rows of both sinks, sorted, as readers see them now.
  Result<Rows> read() {
    Rows rows;
    job::EngineOptions options;
    options.base_directory = ".";
    SUPYO_ASSIGN(auto engine, job::Engine::create(sim_.env(), std::move(options)));
    SUPYO_ASSIGN(auto ddl, engine->load(kSql, {}));
    (void)ddl;
    SUPYO_ASSIGN(const auto select, syntax::parse_statement("SELECT * FROM sums"));
    SUPYO_ASSIGN(auto outcome, engine->execute(select));
    SUPYO_ASSIGN(auto runner, engine->start(std::get<plan::Job>(outcome), [&](const BatchPtr& b) {
      for (std::size_t r = 0; r < b->rows; ++r) {
        std::string text = "sums";
        for (const auto& c : b->columns) append_text_of(*c, r, text += "|");
        rows.push_back(text);
      }
      return ok();
    }));
    SUPYO_ASSIGN(const auto done, runner->run_stepped([&](TimeUs t) { sim_.clock().advance_to(t == kTimeMax ? sim_.clock().now_us() + kSecond : t); }));
    (void)done;
    SUPYO_ASSIGN(const auto names, sim_.files().list("out"));
    for (const std::string& name : names) {
      if (name.front() == '.') continue;
      SUPYO_ASSIGN(const std::string text, sim_.files().read_all("out/" + name));
      for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = text.find('\n', from);
        rows.push_back("before|" + text.substr(from, end - from));
        from = end + 1;
      }
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }

  std::uint64_t trace() { return hash_combine(trace_, sim_.files().trace_hash()); }
  env::Random& random() { return random_; }

 private:
  Status prepare(const std::string& text) {
    SUPYO_TRY(sim_.files().create_directories("in"));
    SUPYO_TRY(sim_.files().write_atomically("in/1.csv", text));
    return sim_.files().sync_directory(".");
  }

  Result<bool> run(const Life& life) {
    job::EngineOptions options;
    options.base_directory = ".";
    options.state_dir = "state";
    options.settings = life.settings;
    options.seed = random_.next_u64();
    SUPYO_ASSIGN(auto engine, job::Engine::create(sim_.env(), std::move(options)));
    SUPYO_ASSIGN(auto job, engine->load(std::string(kSql) + kInsert, {}));
    SUPYO_ASSIGN(auto runner, engine->start(job));
    bool finished = false;
    Status failed;
    for (int i = 0; i < life.steps && !finished && failed; ++i) {
      const auto p = runner->step();
      if (!p) failed = fail(p.error());
      else if (p->progress == dataflow::Progress::kDone) finished = true;
      else if (p->progress == dataflow::Progress::kWaitingUntil) sim_.clock().advance_to(p->until_us);
      else if (p->progress != dataflow::Progress::kMore) sim_.clock().advance_to(sim_.clock().now_us() + kMillisecond);
      if (i == kMostSteps - 1) failed = fail(ErrorCode::kInternal, "the job makes no progress");
    }
    trace_ = hash_combine(trace_, runner->trace_hash());
    SUPYO_TRY(failed);
    return finished;
  }

  env::SimEnv sim_;
  env::SeededRandom faults_;
  env::SeededRandom random_;
  std::uint64_t trace_ = 0;
};

struct Outcome {
  Rows rows;
  std::uint64_t trace = 0;
  int lives = 0;
};

Result<Outcome> play(std::uint64_t seed, std::uint64_t workload, bool faults) {
  World world(seed, workload);
  Outcome out;
  bool finished = false;
  for (std::uint64_t n = faults ? 1 + world.random().below(6) : 0; n > 0 && !finished; --n, ++out.lives) {
    SUPYO_ASSIGN(finished, world.live(draw(world.random(), false)));
  }
  for (int i = 0; i < 3 && !finished; ++i, ++out.lives) {  // healed: one life must do
    SUPYO_ASSIGN(finished, world.live(draw(world.random(), true)));
  }
  if (!finished) return fail(ErrorCode::kInternal, "the healed job does not finish");
  SUPYO_ASSIGN(out.rows, world.read());
  out.trace = world.trace();
  return out;
}

std::string difference(const Rows& got, const Rows& want) {
  Rows lost, extra;
  std::set_difference(want.begin(), want.end(), got.begin(), got.end(), std::back_inserter(lost));
  std::set_difference(got.begin(), got.end(), want.begin(), want.end(), std::back_inserter(extra));
  return fmt::format("{} rows lost ({}), {} rows too many ({})", lost.size(), lost.empty() ? "" : lost.front(), extra.size(), extra.empty() ? "" : extra.front());
}

std::string check(std::uint64_t seed, std::map<std::uint64_t, Rows>& truths) {
  const std::uint64_t workload = seed % kWorkloads;
  if (!truths.contains(workload)) {
    const auto calm = play(workload, workload, false);
    if (!calm) return "fault-free run: " + calm.error().to_string();
    truths[workload] = calm->rows;
  }
  const auto first = play(seed, workload, true);
  if (!first) return first.error().to_string();
  if (first->rows != truths[workload]) return difference(first->rows, truths[workload]);
  const auto second = play(seed, workload, true);
  if (!second) return "second run: " + second.error().to_string();
  if (second->trace != first->trace) return "two runs of the seed differ";
  return {};
}

}  // namespace
}  // namespace supyo

int main(int argc, char** argv) {
  std::uint64_t seeds = 60;
  std::uint64_t from = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const std::string_view value = argv[i + 1];
    std::uint64_t n = 0;
    std::from_chars(value.data(), value.data() + value.size(), n);
    if (option == "--seeds") seeds = n;
    else if (option == "--from") from = n;
    else return 2;
  }
  supyo::start_counting_reached();
  std::map<std::uint64_t, supyo::Rows> truths;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = from; seed < from + seeds; ++seed) {
    const std::string problem = supyo::check(seed, truths);
    if (problem.empty()) continue;
    ++failed;
    std::printf("seed %llu: %s\n  again: supyo_sim --seeds 1 --from %llu\n", static_cast<unsigned long long>(seed), problem.c_str(), static_cast<unsigned long long>(seed));
    if (failed >= 10) break;
  }
  std::printf("%s%llu passed, %llu failed\n", supyo::reached_report().c_str(), static_cast<unsigned long long>(seeds - failed), static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
