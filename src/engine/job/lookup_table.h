#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/types/zone.h"
#include "engine/dataflow/lookup.h"
#include "engine/dataflow/source.h"
#include "sql/expr/expr.h"

namespace supyo::job {

/// The table of a join by processing time: what is read of it, and what is made of that.
struct LookupTable {
  std::shared_ptr<dataflow::Source> source;  ///< null: it is asked by key
  std::string name;                          ///< for messages
  Schema input;                              ///< what the source gives
  std::vector<bool> not_null;                ///< per column of it
  expr::ExprPtr filter;                      ///< over it; null: all rows
  std::vector<expr::ExprPtr> projections;    ///< over it
  Zone zone = {};
};

/// All its rows, from the beginning. Errors: those of the source; kMalformedRecord, kNullInNotNull: a table that is looked up has no dead records;
/// kUnsupported: the source has no end, or does not reach it at once.
Result<std::vector<BatchPtr>> read_table(const LookupTable& table, const env::Env& env);
/// `lookup`, with what is made of its rows.
std::unique_ptr<dataflow::Lookup> with_projections(std::unique_ptr<dataflow::Lookup> lookup, LookupTable table, const env::Env& env);

}  // namespace supyo::job
