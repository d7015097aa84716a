#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/check.h"
#include "core/env/env.h"

namespace supyo::env {

/// Answers "which of n ways does it go?" wherever the simulated machine is free to do as it likes: which pages survive a crash, how
/// much of a failed write reached the file. Drawn from a seed, or enumerated so that a test sees every outcome.
class Choices {
 public:
  virtual ~Choices() = default;
  /// A number in [0, n); n > 0.
  virtual std::uint32_t choose(std::uint32_t n) = 0;
  /// Where a page whose bytes [from, to) were written is torn: from < cut < to.
  virtual std::uint32_t tear(std::uint32_t from, std::uint32_t to) = 0;
};

class RandomChoices final : public Choices {
 public:
  explicit RandomChoices(Random& random) : random_(random) {}
  std::uint32_t choose(std::uint32_t n) override { return static_cast<std::uint32_t>(random_.below(n)); }
  std::uint32_t tear(std::uint32_t from, std::uint32_t to) override { return from + 1 + choose(to - from - 1); }

 private:
  Random& random_;
};

/// Walks the whole tree of choices, one leaf a round; tears go through the middle:
/// `ExhaustiveChoices all; do { run(all); } while (all.next_round());`
class ExhaustiveChoices final : public Choices {
 public:
  std::uint32_t choose(std::uint32_t n) override {
    if (depth_ == path_.size()) path_.push_back({0, n});
    SUPYO_CHECK_EQ(path_[depth_].options, n);  // a run must repeat the same choices up to the one that differs
    return path_[depth_++].taken;
  }
  std::uint32_t tear(std::uint32_t from, std::uint32_t to) override { return from + (to - from) / 2; }
  /// False when every combination was seen.
  bool next_round() {
    depth_ = 0;
    while (!path_.empty() && path_.back().taken + 1 == path_.back().options) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().taken;
    return true;
  }

 private:
  struct Step {
    std::uint32_t taken;
    std::uint32_t options;
  };
  std::vector<Step> path_;
  std::size_t depth_ = 0;
};

}  // namespace supyo::env
