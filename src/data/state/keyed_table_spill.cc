#include <algorithm>

#include "core/base/check.h"
#include "data/state/spill_space.h"
#include "data/state/tables.h"

// The half of a KeyedTable that puts records into its SpillSpace and brings them back.
namespace supyo::state {

void KeyedTable::spill_to(SpillSpace& space) { spill_ = std::make_unique<Spill>(Spill{.space = space, .table = space.add(*this)}); }
void KeyedTable::leave_space() { spill_->space.remove(*this); }
std::size_t KeyedTable::spill_bytes() const { return spill_ ? spill_->stamps.capacity() * sizeof(Stamp) : 0; }

void KeyedTable::pin(bool pinned) {
  if (spill_) spill_->pinned = pinned;
}
bool KeyedTable::pinned() const { return spill_->pinned; }

void KeyedTable::mark_used(std::span<const Slot> slots) {
  for (const Slot s : slots)
    if (s != kNoSlot) refs_[s].bits |= kUsed;
}

std::byte* KeyedTable::bring_back(Slot slot) {
  Ref& r = refs_[slot];
  SUPYO_CHECK(spill_ != nullptr && r.bits != 0);
  const std::string_view bytes = spill_->space.get(spill_->table, slot);
  std::byte* const at = records_.allocate(bytes.size());
  std::memcpy(at, bytes.data(), bytes.size());
  // A changed record may change again without a word from touch().
  r.bits = reinterpret_cast<std::uintptr_t>(at) | (r.bits & (kDirty | kPersisted)) | ((r.bits & kDirty) == 0 ? kStored : 0) | kUsed;
  return at;
}

const std::byte* KeyedTable::peek(Slot slot) const {
  const std::byte* const at = resident(slot);
  return at != nullptr ? at : reinterpret_cast<const std::byte*>(spill_->space.get(spill_->table, slot).data());
}

/// A clock with a second chance. Two rounds at most: in the second nobody has a chance left.
void KeyedTable::evict(std::size_t bytes) {
  Slot& hand = spill_->hand;
  const std::size_t from = records_.used();
  for (std::size_t looked = 0; looked < 2 * refs_.size() && records_.used() > 0 && from - records_.used() < bytes; ++looked, ++hand) {
    if (hand >= refs_.size()) hand = 0;
    Ref& r = refs_[hand];
    std::byte* const at = resident(hand);
    if (at == nullptr) continue;
    if ((r.bits & kUsed) != 0) {
      r.bits &= ~kUsed;
      continue;
    }
    evict_one(hand);
  }
}

void KeyedTable::evict_one(Slot slot) {
  std::byte* const at = resident(slot);
  const std::size_t size = parts_of(at).end();
  Ref& r = refs_[slot];
  if ((r.bits & kStored) == 0) spill_->space.put(spill_->table, slot, {reinterpret_cast<const char*>(at), size});
  records_.release(at, size);
  r.bits = (r.bits & (kDirty | kPersisted)) | kStored;
}

/// Entries that came from the job's files, in the middle of a call even: nobody can hold an address into them yet.
void KeyedTable::evict_loaded() {
  if (spill_->space.used() > spill_->space.limit())
    for (const Slot slot : spill_->loaded)
      if (resident(slot) != nullptr) evict_one(slot);
  spill_->loaded.clear();
}

void KeyedTable::relax() {
  if (!spill_) return;
  const std::size_t used = spill_->space.used();
  if (used > spill_->space.limit()) evict(used - spill_->space.limit() + spill_->space.limit() / 16);
}

void KeyedTable::for_each(const std::function<void(Slot)>& visit) {
  load_all();
  for (Slot s = 0; s < refs_.size(); ++s) {
    if (!live(s)) continue;
    visit(s);
    if (spill_) relax();
  }
}

}  // namespace supyo::state
