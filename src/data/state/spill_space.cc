#include "data/state/spill_space.h"

#include <algorithm>

#include "core/base/check.h"
#include "data/state/spill_store.h"
#include "data/state/tables.h"

namespace supyo::state {
namespace {
constexpr std::size_t kWriteAtOnce = std::size_t{256} << 10;
constexpr std::size_t kSlackBytes = std::size_t{4} << 20;   // of an arena: its chunks grow by as much as it has

void check(Status s) {
  if (!s) throw SpillFailure{std::move(s).error()};
}
}  // namespace

SpillSpace::SpillSpace(std::string directory, std::size_t memory_bytes) : directory_(std::move(directory)), store_bytes_(memory_bytes / 5), limit_(memory_bytes - store_bytes_) {}
Status SpillSpace::clear(const std::string& directory) { return SpillStore::remove(directory); }
SpillSpace::~SpillSpace() { SUPYO_CHECK(tables_.empty()); }

std::uint32_t SpillSpace::add(KeyedTable& table) {
  tables_.push_back(&table);
  return next_table_++;
}
void SpillSpace::remove(KeyedTable& table) { std::erase(tables_, &table); }

SpillStore& SpillSpace::store() {
  if (!store_) {
    auto made = SpillStore::create(directory_, store_bytes_);
    if (!made) throw SpillFailure{std::move(made).error()};
    store_ = *std::move(made);
  }
  return *store_;
}

void SpillSpace::put(std::uint32_t table, std::uint32_t slot, std::string_view record) {
  store().put(table, slot, record);
  if (store_->unwritten_bytes() >= kWriteAtOnce) check(store_->write());
}

std::string_view SpillSpace::get(std::uint32_t table, std::uint32_t slot) {
  check(store().write());
  auto found = store_->get(table, slot);
  if (!found) throw SpillFailure{std::move(found).error()};
  return *found;
}

std::size_t SpillSpace::used() const {
  std::size_t n = 0;
  for (const KeyedTable* t : tables_) n += t->record_bytes();
  return n;
}

/// Each gives by what it holds. A little more than needed, so that it is not asked for again at once.
void SpillSpace::make_room() {
  const std::size_t used = this->used();
  if (used <= limit_) return;
  std::size_t free_to_go = 0;
  for (const KeyedTable* t : tables_) free_to_go += t->pinned() ? 0 : t->record_bytes();
  const double share = static_cast<double>(used - limit_ + limit_ / 16) / static_cast<double>(std::max<std::size_t>(free_to_go, 1));
  for (KeyedTable* t : tables_) {
    if (t->pinned()) continue;
    t->evict(static_cast<std::size_t>(share * static_cast<double>(t->record_bytes())) + 1);
    // Records of other sizes than those that went leave holes: all of them go, and the arena begins anew.
    if (t->reserved_bytes() > 2 * t->record_bytes() + kSlackBytes) t->evict(SIZE_MAX);
  }
  if (store_) check(store_->write());
}

}  // namespace supyo::state
