#pragma once
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/dataflow/source.h"

namespace supyo::connect {

/// A source whose rows come from one reader. Config has `table` and bounded(); Reader is made of (config, split, env) and start()ed.
template <class Config, class Reader>
class OneSplitSource final : public dataflow::Source {
 public:
  explicit OneSplitSource(Config config) : config_(std::move(config)) {}
  std::string_view name() const override { return config_.table; }
  Result<std::vector<dataflow::Split>> splits() override { return std::vector<dataflow::Split>{{config_.table, ""}}; }
  bool bounded() const override { return config_.bounded(); }
  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env& env) override {
    auto reader = std::make_unique<Reader>(config_, std::move(splits.at(0)), env);
    SUPYO_TRY(reader->start());
    return reader;
  }

 private:
  Config config_;
};

}  // namespace supyo::connect
