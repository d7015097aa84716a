#pragma once
#include "data/types/visibility.h"
#include "data/types/zone.h"
#include "engine/dataflow/graph.h"
#include "engine/job/connectors.h"
#include "engine/job/newest_rows.h"
#include "engine/job/system_tables.h"
#include "sql/plan/physical.h"

namespace supyo::job {

struct GraphOptions {
  std::string base_directory;
  bool origins = false;                ///< a judge listens
  std::string replay_column;           ///< --replay
  Zone zone = {};
  bool final_only = false;             ///< batch mode: bounded input, only final rows
  bool adaptive_levels = false;        ///< the first of two levels of an aggregation steps aside where keys hardly repeat
  bool cut_outputs = false;            ///< supyo.output-consistency = cut
  DurationUs late_retention_us = 0;    ///< of `T$late`; 0 = for ever
  DurationUs dead_retention_us = 0;    ///< of `T$dead`
  VisibilityObserver* observer = nullptr;  ///< gets the identities of what sinks are given
  std::vector<std::string> identity;   ///< columns; empty: none
  NewestRows* newest = nullptr;        ///< looks on at what tables are given
  connect::CollectTarget collect;      ///< rows of the console sink
};

/// What a state directory is known by: the plan, and whether its rows carry origins (a judge listened when the job first started).
std::string state_fingerprint(const plan::PhysicalPlan& plan, bool origins);

/// Physical plan -> job graph: one node each, with the factories of operators and connectors.
Result<dataflow::JobGraph> build_graph(const plan::PhysicalPlan& plan, const GraphOptions& options, const ConnectorContext& context, SystemTables& system);

}  // namespace supyo::job
