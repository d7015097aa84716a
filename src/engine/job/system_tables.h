#pragma once
#include <optional>
#include <string>
#include <vector>

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
  /// Remembers a table of the job that is being built; write() puts the schemas down, once the state directory is the job's.
  void declare(catalog::TableDefinition table) { declared_.push_back(std::move(table)); }
  Status write();
  /// The table at `path` ("flights$late"), if this state directory has it.
  std::optional<catalog::TableDefinition> find(const catalog::ObjectPath& path) const;

 private:
  std::string directory() const;
  env::Env env_;
  std::string state_dir_;
  std::vector<catalog::TableDefinition> declared_;
};

}  // namespace supyo::job
