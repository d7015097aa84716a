#pragma once
#include <map>
#include <string>
#include <vector>

#include "sql/catalog/connector.h"
#include "sql/plan/logical.h"
#include "sql/plan/physical.h"
#include "sql/plan/rules.h"

namespace supyo::plan {

/// One physical scan serves all uses of a table (with the same options), with all the columns that any of them reads.
class SharedScans {
 public:
  struct Shared {
    LogicalScan scan;                 ///< with the columns of all uses
    std::vector<std::size_t> read;    ///< those that queries need (NOT NULL is checked on those)
  };
  /// `duplicates`: changelogs may bring a change twice, and are read by key.
  SharedScans(const ColumnsRead& reads, const catalog::ConnectorRegistry& connectors, bool duplicates) : reads_(reads), connectors_(connectors), duplicates_(duplicates) {}

  /// Takes in the scans below `node`. All are gathered before any is used.
  void gather(const LogicalPtr& node);
  const Shared& of(const LogicalScan& scan) const;
  /// Whether the table's rows replace each other by its primary key.
  bool is_upsert(const LogicalScan& scan) const;
  /// Whether its records say what is done to a row.
  bool is_changelog(const LogicalScan& scan) const { return connectors_.is_changelog(scan.table.options); }
  /// Whether the last row of each key is kept behind the scan.
  bool is_by_key(const LogicalScan& scan) const { return is_upsert(scan) || (duplicates_ && is_changelog(scan)); }
  std::unexpected<Error> no_key(const LogicalScan& scan) const;
  /// Where the primary key is among the scan's columns.
  static std::vector<std::size_t> keys_of(const LogicalScan& scan);
  /// The scan itself, whose columns `keys` are never null.
  PhysicalNode node_of(const Shared& shared, const std::vector<std::size_t>& keys) const;
  /// Where each of `of` is in `in`.
  static std::vector<std::size_t> places(const std::vector<std::size_t>& of, const std::vector<std::size_t>& in);

 private:
  const ColumnsRead& reads_;
  const catalog::ConnectorRegistry& connectors_;
  bool duplicates_;
  std::map<std::string, Shared> scans_;
};

}  // namespace supyo::plan
