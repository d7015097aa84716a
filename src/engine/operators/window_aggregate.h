#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/types/changelog.h"
#include "data/types/zone.h"
#include "engine/dataflow/operator.h"
#include "sql/expr/registry.h"

namespace supyo::operators {

/// GROUP BY window_start, window_end, keys over TUMBLE, HOP or CUMULATE of a row time; SESSION: session_aggregate.h.
///
/// A row is late for a window iff its edge watermark is at or beyond the window's end - 1 ms: it then goes to emit_late() (one entry a row
/// and window) and never into the window. Windows fire when the combined watermark gets there, in order of window end, then of the key's
/// first row. A group without rows (all retracted) fires nothing. Source: Flink docs, Window Aggregation; X-34.
struct WindowAggregateSpec {
  /// Rows that have their window already: it is among the keys, in these columns. Then `window`, `time_column` and `properties` are not used.
  struct Given {
    std::size_t start_column = 0;
    std::size_t end_column = 0;
    Zone zone = {};                                    ///< that they are in: the session's when the time attribute is TIMESTAMP_LTZ
  };
  /// The second of two levels: the input is what make_local_aggregate() of the same windows gives. `time_column` is not used then.
  struct Partials {
    std::size_t window_column = SIZE_MAX;              ///< its number, or that of its slice; none where the window is given
    std::size_t column = 0;
    Type time_type = {};                               ///< of the time column
    Schema rows = {};                                  ///< what the first level takes, and..
    std::vector<std::size_t> row_keys = {};            ///< ..where the keys are there
  };
  Schema input;
  std::optional<Given> given = {};
  std::optional<Partials> partials = {};
  WindowSpec window;
  std::size_t time_column = 0;                    ///< TIMESTAMP or TIMESTAMP_LTZ; a null is late with reason NULL_TIME
  std::vector<std::size_t> keys;                  ///< input columns; the input is partitioned by them
  std::vector<expr::AggregateCall> aggregates;
  enum class Property : std::uint8_t { kStart, kEnd, kTime };
  std::vector<Property> properties;               ///< output columns after keys and aggregates
  std::vector<std::string> property_names;        ///< names for output_schema(); empty = window_start, window_end, window_time
  bool retracting = false;                        ///< the input has -U / -D rows
  bool origins = false;                           ///< as JobGraph::origins
  Zone zone = {};                                      ///< session zone: aligns windows over TIMESTAMP_LTZ
  std::string label = "WindowAggregate";          ///< `operator` column of `T$late`
};
/// Keys, aggregates, properties.
Schema output_schema(const WindowAggregateSpec& spec);
/// Its windows share slices (expr::shares_slices()). Both levels of two do, or neither.
bool shares_slices(const WindowAggregateSpec& spec);
/// Errors of the factory: kInvalidQuery (a size, slide or gap that is not positive).
dataflow::OperatorFactory make_window_aggregate(WindowAggregateSpec spec);

}  // namespace supyo::operators
