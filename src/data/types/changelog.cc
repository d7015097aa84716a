#include "data/types/changelog.h"

#include "data/types/batch.h"

namespace supyo {

std::string_view row_kind_text(RowKind k) {
  switch (k) {
    case RowKind::kInsert: return "+I";
    case RowKind::kUpdateBefore: return "-U";
    case RowKind::kUpdateAfter: return "+U";
    case RowKind::kDelete: return "-D";
  }
  return "?";
}

std::string_view changelog_mode_text(ChangelogMode m) {
  switch (m) {
    case ChangelogMode::kAppend: return "[I]";
    case ChangelogMode::kUpsert: return "[I,UA,D]";
    case ChangelogMode::kRetract: return "[I,UB,UA,D]";
  }
  return "?";
}

std::string_view delivery_guarantee_text(DeliveryGuarantee g) {
  switch (g) {
    case DeliveryGuarantee::kExactlyOnce: return "exactly once";
    case DeliveryGuarantee::kEffectivelyOnce: return "effectively once";
    case DeliveryGuarantee::kAtLeastOnce: return "at least once";
    case DeliveryGuarantee::kNone: return "none";
  }
  return "?";
}

}  // namespace supyo
