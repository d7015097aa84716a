#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/base/strong.h"
#include "core/obs/metrics.h"
#include "serve/broker/api.h"

namespace supyo::broker {

/// What the broker counts for its operator (docs/reference/metrics.md). Written by the broker's thread; text() by any.
class BrokerMetrics {
 public:
  BrokerMetrics();
  void answered(Api api, DurationUs took_us);
  void refused() { refused_.add(); }
  void produced(const std::string& topic, std::uint64_t records, std::uint64_t bytes);
  /// `batches` as a fetch answer has them.
  void fetched(const std::string& topic, std::string_view batches);
  std::string text() const { return registry_.prometheus_text(); }

 private:
  struct TopicCounters {
    obs::Counter &records_in, &bytes_in, &records_out, &bytes_out;
  };
  TopicCounters& topic(const std::string& name);

  obs::Registry registry_;
  obs::Counter& refused_;
  std::array<obs::Histogram*, 128> requests_{};   ///< by api
  std::map<std::string, TopicCounters> topics_;
};

}  // namespace supyo::broker
