#include "engine/dataflow/operator.h"

namespace supyo::dataflow {

Schema late_schema(const Schema& input) {
  Schema s = input;
  s.add("watermark", Type::timestamp(3).not_null());
  s.add("lateness_ms", Type::big_int().not_null());
  s.add("window_start", Type::timestamp(3));
  s.add("window_end", Type::timestamp(3));
  s.add("operator", Type::string().not_null());
  s.add("reason", Type::string().not_null());
  return s;
}

}  // namespace supyo::dataflow
