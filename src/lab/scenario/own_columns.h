#pragma once
#include <string>
#include <utility>
#include <vector>

namespace supyo::scenario {

/// A pipeline under test that measures something itself: columns by name, the same at every call. One named as the judge's stands in its place.
class OwnColumns {
 public:
  virtual ~OwnColumns() = default;
  virtual std::vector<std::pair<std::string, double>> sampled() = 0;
};

}  // namespace supyo::scenario
