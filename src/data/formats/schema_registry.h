#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace supyo::formats {

/// Where schemas of records are kept, as Confluent's Schema Registry has them. Any thread.
class SchemaRegistry {
 public:
  virtual ~SchemaRegistry() = default;
  /// The schema of that number, behind those that it refers to. Errors: kMalformedRecord (there is none); kOutsideUnavailable.
  virtual Result<std::vector<std::string>> schema(std::int32_t id) = 0;
  /// The number of a schema under a subject; it is registered when it is new there. Errors: kOutsideUnavailable; kBadOptionValue (it is refused, and why).
  virtual Result<std::int32_t> number_of(const std::string& subject, const std::string& schema) = 0;
};

}  // namespace supyo::formats
