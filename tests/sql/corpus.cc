#include "tests/sql/corpus.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <sstream>

#include "core/env/sim/sim_env.h"
#include "data/types/value.h"
#include "engine/job/engine.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/printer.h"

namespace supyo::sqltest {
namespace {

constexpr std::string_view kBase = "/corpus";

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::unexpected<Error> wrong(int line, std::string message) { return fail(ErrorCode::kInternal, fmt::format("line {}: {}", line, message)); }

/// Rows of a console job, with its updates merged: every retraction must have had its insert.
class Rows {
 public:
  Status take(const BatchPtr& batch) {
    for (std::size_t r = 0; r < batch->rows; ++r) {
      std::string text;
      for (std::size_t c = 0; c < batch->columns.size(); ++c) {
        std::string value = value_at(*batch->columns[c], r).to_string();
        if (value.empty()) value = "(empty)";
        text += (c == 0 ? "" : "|") + value;
      }
      if (!is_retraction(batch->kind(r))) {
        rows_.push_back(std::move(text));
        continue;
      }
      const auto it = std::find(rows_.rbegin(), rows_.rend(), text);
      if (it == rows_.rend()) return fail(ErrorCode::kInternal, fmt::format("{} of '{}', which is not there", row_kind_text(batch->kind(r)), text));
      rows_.erase(std::next(it).base());
    }
    return ok();
  }
  std::vector<std::string> all(bool ordered) const {
    std::vector<std::string> out = rows_;
    if (!ordered) std::ranges::sort(out);
    return out;
  }

 private:
  std::vector<std::string> rows_;
};

class Runner {
 public:
  explicit Runner(const Regime& regime) : regime_(regime), sim_(regime.seed), random_(regime.seed) {}

  Status run(const std::vector<Block>& blocks) {
    for (const Block& b : blocks) {
      Status done = run(b);
      if (!done) return fail(done.error().with_context(fmt::format("[{}] block at line {}", regime_.name, b.line)));
    }
    std::error_code left;   // of a directory that is not empty
    if (regime_.spill) std::filesystem::remove(scratch_, left);
    if (left) return fail(ErrorCode::kInternal, fmt::format("[{}] a job that ended left its scratch in {}", regime_.name, scratch_));
    return ok();
  }

  Result<std::vector<PlanTime>> plan_times(const std::vector<Block>& blocks, int runs) {
    std::vector<PlanTime> out;
    for (const Block& b : blocks) {
      if (b.kind == Block::Kind::kFile || b.kind == Block::Kind::kSetup) {
        SUPYO_TRY(run(b));
        continue;
      }
      SUPYO_ASSIGN(const DurationUs took, plan_time(b, runs));
      out.push_back({.line = b.line, .cpu_us = took});
    }
    return out;
  }

 private:
  Status run(const Block& b) {
    switch (b.kind) {
      case Block::Kind::kFile: return write(b);
      case Block::Kind::kSetup: setup_ += b.text + "\n"; return check_setup();
      case Block::Kind::kJob: return job(b);
      case Block::Kind::kQuery: return query(b);
      case Block::Kind::kError: return error(b);
    }
    return ok();
  }

  Status write(const Block& b) {
    const std::string path = fmt::format("{}/{}", kBase, b.name);
    SUPYO_TRY(sim_.files().create_directories(env::parent_path(path)));
    return sim_.files().write_atomically(path, b.text);
  }

  Result<std::unique_ptr<job::Engine>> engine(int parallelism, const std::string& state_dir, bool keep_state) {
    job::EngineOptions o;
    o.base_directory = kBase;
    o.state_dir = state_dir;
    o.keep_state = keep_state;
    o.print = [](std::string_view, bool) {};
    o.rules = regime_.rules;
    o.seed = regime_.seed;
    o.settings = {{"supyo.batch.rows", std::to_string(regime_.batch_rows)}, {"parallelism.default", std::to_string(parallelism)}};
    for (const auto& [key, value] : regime_.settings) o.settings[key] = value;
    if (regime_.spill && !(regime_.kill && lives_++ % 2 == 1)) {
      o.settings["state.backend.type"] = "rocksdb";
      o.settings["state.backend.rocksdb.memory.fixed-per-slot"] = "1";
      o.settings["state.backend.rocksdb.localdir"] = scratch_;
    }
    if (regime_.tiny_epochs) o.settings["supyo.epoch.rows"] = "1";
    SUPYO_ASSIGN(auto made, job::Engine::create(sim_.env(), std::move(o)));
    SUPYO_TRY(execute(*made, setup_));
    return made;
  }

  Result<std::vector<syntax::Statement>> parse(std::string_view sql) const {
    SUPYO_ASSIGN(auto statements, syntax::parse_script(sql));
    if (!regime_.reprint) return statements;
    for (syntax::Statement& s : statements) {
      const std::string printed = syntax::print(s);
      SUPYO_ASSIGN(syntax::Statement again, syntax::parse_statement(printed));
      if (!(again == s)) return fail(ErrorCode::kInternal, "parse(print(x)) differs for: " + printed);
      s = std::move(again);
    }
    return statements;
  }

  /// Carries out all statements; the jobs among them together.
  Result<plan::Job> execute(job::Engine& engine, std::string_view sql) const {
    SUPYO_ASSIGN(const auto statements, parse(sql));
    plan::Job job;
    for (const syntax::Statement& s : statements) {
      SUPYO_ASSIGN(plan::Outcome outcome, engine.execute(s));
      if (auto* j = std::get_if<plan::Job>(&outcome)) job.append(std::move(*j));
    }
    return job;
  }

  Status check_setup() {
    SUPYO_TRY(engine(1, {}, false));
    return ok();
  }

  /// Steps the runner until it ends or `steps` are done; true when it ended.
  Result<bool> drive(runtime::JobRunner& runner, std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps; ++i) {
      SUPYO_ASSIGN(const dataflow::Poll poll, runner.step());
      using Progress = dataflow::Progress;
      if (poll.progress == Progress::kDone) return true;
      if (poll.progress == Progress::kMore) continue;
      if (poll.until_us == kTimeMax) return fail(ErrorCode::kInternal, "the job waits for ever");
      if (poll.until_us > sim_.clock().now_us()) sim_.clock().advance_to(poll.until_us);
    }
    return false;
  }

  /// CPU time from text to physical plan.
  Result<DurationUs> plan_time(const Block& b, int runs) {
    std::clock_t best = std::numeric_limits<std::clock_t>::max();
    for (int i = 0; i < runs; ++i) {
      SUPYO_ASSIGN(const auto engine, this->engine(regime_.parallelism, state_dir_, false));
      const std::clock_t began = std::clock();
      const auto job = execute(*engine, b.text);
      if (job && !job->sinks.empty()) static_cast<void>(engine->plan(*job).has_value());
      best = std::min(best, std::clock() - began);
    }
    return best * kSecond / CLOCKS_PER_SEC;
  }

  static constexpr std::uint64_t kManySteps = 5'000'000;

  Status finish(runtime::JobRunner& runner) {
    SUPYO_ASSIGN(const bool ended, drive(runner, kManySteps));
    return ended ? ok() : Status(fail(ErrorCode::kInternal, "the job does not end"));
  }

  Status job(const Block& b) {
    state_dir_ = fmt::format("{}/state-{}", kBase, ++jobs_);
    // The first kills come soon, later ones further on, so that the job gets ahead; the last run is left alone.
    for (std::uint64_t kill = 0; regime_.kill && kill < 6; ++kill) {
      const int parallelism = kill % 2 == 0 ? regime_.parallelism : 4 - regime_.parallelism;
      SUPYO_ASSIGN(auto engine, this->engine(parallelism, state_dir_, true));
      SUPYO_ASSIGN(const plan::Job job, execute(*engine, b.text));
      SUPYO_ASSIGN(auto runner, engine->start(job));
      SUPYO_ASSIGN(const bool ended, drive(*runner, 1 + random_.below(40ULL << kill)));
      sim_.files().kill_process();
      if (ended) break;
    }
    SUPYO_ASSIGN(auto engine, this->engine(regime_.parallelism, state_dir_, true));
    SUPYO_ASSIGN(const plan::Job job, execute(*engine, b.text));
    SUPYO_ASSIGN(auto runner, engine->start(job));
    return finish(*runner);
  }

  Status query(const Block& b) {
    SUPYO_ASSIGN(auto engine, this->engine(regime_.parallelism, state_dir_, false));
    SUPYO_ASSIGN(const plan::Job job, execute(*engine, b.text));
    if (!job.console) return fail(ErrorCode::kInternal, "`query` needs a SELECT");
    Rows rows;
    SUPYO_ASSIGN(auto runner, engine->start(job, [&rows](const BatchPtr& batch) { return rows.take(batch); }));
    SUPYO_TRY(finish(*runner));
    std::vector<std::string> expected = b.expected;
    if (!b.ordered) std::ranges::sort(expected);
    const std::vector<std::string> got = rows.all(b.ordered);
    if (got == expected) return ok();
    const runtime::JobStats stats = runner->stats();
    return fail(ErrorCode::kInternal, fmt::format("rows differ ({} read, {} dead, {} late)\n--- expected\n{}\n--- got\n{}\n", stats.rows_in, stats.dead, stats.late,
                                                  fmt::join(expected, "\n"), fmt::join(got, "\n")));
  }

  Status error(const Block& b) {
    if (regime_.reprint) return ok();   // positions are those of the text as written
    SUPYO_ASSIGN(auto engine, this->engine(regime_.parallelism, state_dir_, false));
    const auto outcome = [&]() -> Status {
      SUPYO_ASSIGN(const plan::Job job, execute(*engine, b.text));
      if (job.sinks.empty()) return ok();
      Rows rows;
      SUPYO_ASSIGN(auto runner, engine->start(job, [&rows](const BatchPtr& batch) { return rows.take(batch); }));
      return finish(*runner);
    }();
    if (outcome) return fail(ErrorCode::kInternal, "no error");
    const Error& e = outcome.error();
    std::string got = fmt::format("{}", static_cast<int>(e.code));
    if (e.position) got += fmt::format(" {}:{}", e.position->line, e.position->column);
    const std::string& wanted = b.expected.front();
    const std::size_t code_end = e.position ? wanted.find(' ', wanted.find(' ') + 1) : wanted.find(' ');
    const std::string place = wanted.substr(0, code_end);
    const std::string says = code_end == std::string::npos ? "" : wanted.substr(code_end + 1);
    if (e.hint.empty()) return fail(ErrorCode::kInternal, fmt::format("{}: {} has no hint", got, e.message));
    if (place == got && (e.message + " / " + e.hint).find(says) != std::string::npos) return ok();
    return fail(ErrorCode::kInternal, fmt::format("expected {}\n got {} {} / {}", wanted, got, e.message, e.hint));
  }

  const Regime& regime_;
  env::SimEnv sim_;
  env::SeededRandom random_;
  std::string setup_;
  std::string state_dir_;
  int jobs_ = 0;
  int lives_ = 0;
  // RocksDB's files are real ones: the simulated machine has none for its threads.
  const std::string scratch_ = (std::filesystem::temp_directory_path() / fmt::format("supyo-corpus-{}", ::getpid())).string();
};

}  // namespace

Result<std::vector<Block>> parse_corpus(std::string_view text) {
  std::vector<Block> blocks;
  Block* open = nullptr;
  bool expecting = false;
  int number = 0;
  for (const std::string_view line : lines_of(text)) {
    ++number;
    if (line.empty()) {
      open = nullptr;
      continue;
    }
    if (open == nullptr) {
      if (line.starts_with('#')) continue;
      const std::string_view keyword = line.substr(0, line.find(' '));
      const std::string_view rest = keyword.size() < line.size() ? line.substr(keyword.size() + 1) : "";
      Block b;
      b.line = number;
      if (keyword == "file") b.kind = Block::Kind::kFile, b.name = rest;
      else if (keyword == "setup") b.kind = Block::Kind::kSetup;
      else if (keyword == "job") b.kind = Block::Kind::kJob;
      else if (keyword == "query") b.kind = Block::Kind::kQuery, b.ordered = rest == "ordered";
      else if (keyword == "error") b.kind = Block::Kind::kError;
      else return wrong(number, fmt::format("unknown keyword '{}'", keyword));
      blocks.push_back(std::move(b));
      open = &blocks.back();
      expecting = false;
      continue;
    }
    if (line == "----") expecting = true;
    else if (expecting) open->expected.emplace_back(line);
    else open->text += std::string(line) + "\n";
  }
  for (const Block& b : blocks)
    if (b.kind == Block::Kind::kError && b.expected.size() != 1) return wrong(b.line, "`error` needs one line after ----");
  return blocks;
}

std::vector<std::pair<std::string, std::string>> corpus_files() {
  const std::filesystem::path base = SUPYO_SOURCE_DIR "/tests/sql";
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(base)) {
    if (entry.path().extension() != ".test") continue;
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    out.emplace_back(std::filesystem::relative(entry.path(), base).string(), text.str());
  }
  std::ranges::sort(out);
  return out;
}

Status run_corpus(const std::vector<Block>& blocks, const Regime& regime) { return Runner(regime).run(blocks); }

Result<std::vector<PlanTime>> plan_times(const std::vector<Block>& blocks, int runs) {
  const Regime plain{.name = "plain"};
  return Runner(plain).plan_times(blocks, runs);
}

}  // namespace supyo::sqltest
