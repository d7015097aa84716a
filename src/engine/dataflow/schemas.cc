#include "engine/dataflow/operator.h"
#include "engine/dataflow/source.h"

namespace supyo::dataflow {

Schema late_schema(const Schema& input) {
  Schema out = input;
  out.add("watermark", Type::timestamp(3).not_null());
  out.add("lateness_ms", Type::big_int().not_null());
  out.add("window_start", Type::timestamp(3));
  out.add("window_end", Type::timestamp(3));
  out.add("operator", Type::string().not_null());
  out.add("reason", Type::string().not_null());
  return out;
}

Schema dead_schema() {
  Schema out;
  out.add("source", Type::string().not_null());
  out.add("position", Type::string().not_null());
  out.add("field", Type::string());
  out.add("reason", Type::string().not_null());
  out.add("raw", Type::string());
  out.add("dead_time", Type::timestamp(3).not_null());
  return out;
}

}  // namespace supyo::dataflow
