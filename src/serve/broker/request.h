#pragma once
#include <cstdint>
#include <string>

#include "core/base/strong.h"
#include "serve/broker/api.h"

namespace supyo::broker {

/// Where an answer goes, and in which shape.
struct RequestContext {
  std::uint64_t connection = 0;
  std::uint64_t sequence = 0;      ///< of the request on its connection: answers go out in that order
  Api api = Api::kApiVersions;
  std::int16_t version = 0;
  std::int32_t correlation = 0;
  std::string client_id = {};
  std::string client_host = {};
  TimeUs received_us = 0;          ///< monotonic
};

}  // namespace supyo::broker
