#pragma once
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "sql/catalog/table.h"

namespace supyo::job {

/// `T$late` and `T$dead`: topics of the embedded log under STATE/system, written with the job's epochs, and their schemas beside them
/// so that another session can read them.
class SystemTables {
 public:
  SystemTables(const env::Env& env, std::string state_dir) : env_(env), state_dir_(std::move(state_dir)) {}

  bool available() const { return !state_dir_.empty(); }
  /// Definition of the system table with this name for base table `base`, with the options that reach its topic.
  catalog::TableDefinition definition(const catalog::ObjectPath& base, const std::string& suffix, const Schema& schema) const;
  /// Writes the schema down so that find() knows the table in another process.
  Status declare(const catalog::TableDefinition& table);
  /// The table at `path` ("flights$late"), if this state directory has it.
  std::optional<catalog::TableDefinition> find(const catalog::ObjectPath& path) const;

 private:
  std::string directory() const;
  env::Env env_;
  std::string state_dir_;
};

}  // namespace supyo::job
