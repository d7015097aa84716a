#pragma once
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo::sqltest {

/// One block of a .test file. A block begins with its keyword's line and ends at a blank line:
///
///     file NAME          the lines that follow are the file's contents
///     setup              statements for every later session (DDL, SET)
///     job                INSERTs that run as one job with state, to the end of their inputs
///     query [ordered]    a SELECT, then `----` and its rows, columns by `|` (sorted unless ordered); updates are merged
///     error              a statement, then `----` and one line: CODE LINE:COLUMN [part of message or hint]
struct Block {
  enum class Kind { kFile, kSetup, kJob, kQuery, kError } kind = Kind::kSetup;
  int line = 0;
  std::string name;                     ///< kFile
  bool ordered = false;                 ///< kQuery
  std::string text;                     ///< SQL or file contents
  std::vector<std::string> expected;    ///< rows, or the error's line
};

/// An error must have a hint. Errors of this parser name the line.
Result<std::vector<Block>> parse_corpus(std::string_view text);

/// One way to run the whole file; the rows must be the same under all of them.
struct Regime {
  std::string name;
  int batch_rows = 1024;
  int parallelism = 1;
  bool rules = true;
  bool reprint = false;      ///< each statement is parsed again from its own print
  bool tiny_epochs = false;  ///< an epoch after every row that a source gives
  bool kill = false;         ///< kill -9 at drawn moments, restored at another parallelism
  bool spill = false;        ///< in the rocksdb backend with no memory to speak of: what an operator keeps goes to disk after each of its calls. With `kill` only every other life
  std::uint64_t seed = 1;
  std::map<std::string, std::string> settings = {};   ///< on top of what the statements set
};

/// Runs the blocks on a simulated machine. Null on success, else what went wrong and where.
Status run_corpus(const std::vector<Block>& blocks, const Regime& regime);

struct PlanTime {
  int line = 0;                ///< of the block
  DurationUs cpu_us = 0;
};
/// What each job, query and faulty statement takes from its text to its physical plan (setup not counted), the best of `runs`. Nothing is run.
Result<std::vector<PlanTime>> plan_times(const std::vector<Block>& blocks, int runs);

/// Every .test file below tests/sql: its path there and its text, in order.
std::vector<std::pair<std::string, std::string>> corpus_files();

}  // namespace supyo::sqltest
