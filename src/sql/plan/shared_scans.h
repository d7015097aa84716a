#pragma once
#include <map>
#include <string>
#include <vector>

#include "sql/catalog/connector.h"
#include "sql/plan/logical.h"
#include "sql/plan/rules.h"

namespace supyo::plan {

/// One physical scan serves all uses of a table (with the same options), with all the columns that any of them reads.
class SharedScans {
 public:
  struct Shared {
    LogicalScan scan;                 ///< with the columns of all uses
    std::vector<std::size_t> read;    ///< those that queries need (NOT NULL is checked on those)
  };
  SharedScans(const ColumnsRead& reads, const catalog::ConnectorRegistry& connectors) : reads_(reads), connectors_(connectors) {}

  /// Takes in the scans below `node`. All are gathered before any is used.
  void gather(const LogicalPtr& node);
  const Shared& of(const LogicalScan& scan) const;
  /// Whether the table's rows replace each other by its primary key.
  bool is_upsert(const LogicalScan& scan) const;
  /// Whether its records say what is done to a row.
  bool is_changelog(const LogicalScan& scan) const { return connectors_.is_changelog(scan.table.options); }
  /// Where each of `of` is in `in`.
  static std::vector<std::size_t> places(const std::vector<std::size_t>& of, const std::vector<std::size_t>& in);

 private:
  const ColumnsRead& reads_;
  const catalog::ConnectorRegistry& connectors_;
  std::map<std::string, Shared> scans_;
};

}  // namespace supyo::plan
