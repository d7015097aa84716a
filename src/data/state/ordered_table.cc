#include <algorithm>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "data/state/stored_entries.h"
#include "data/state/spill_space.h"
#include "data/state/tables.h"

namespace supyo::state {

struct OrderedTable::Impl {
  struct Row {
    TimeUs time;
    std::uint64_t sequence;
    std::uint64_t hash;
    std::uint64_t offset;  // into bytes
    std::uint32_t size;
  };
  static bool later(const Row& a, const Row& b) {
    if (a.time != b.time) return a.time > b.time;
    if (a.sequence != b.sequence) return a.sequence > b.sequence;
    return a.hash > b.hash;
  }

  TableSpec spec;
  std::vector<Row> heap;             // earliest row at the front
  std::string bytes;
  std::size_t dead_bytes = 0;
  std::uint64_t next_sequence = 0;
  std::uint64_t cut_sequence = 0;    // rows from here on are not in any epoch yet
  std::vector<Row> fresh;            // rows since the cut, by sequence
  std::vector<std::uint8_t> fresh_popped;
  EncodedChanges erased;

  static std::string key_of(const Row& r) {
    std::string key;
    ByteWriter w(key);
    w.i64(r.time);
    w.u64(r.sequence);
    return key;
  }

  void compact() {
    std::string kept;
    kept.reserve(bytes.size() - dead_bytes);
    for (Row& r : heap) {
      const std::uint64_t offset = kept.size();
      kept.append(bytes, r.offset, r.size);
      r.offset = offset;
    }
    bytes = std::move(kept);
    dead_bytes = 0;
  }
};

OrderedTable::OrderedTable(TableSpec spec) : impl_(std::make_unique<Impl>()) { impl_->spec = std::move(spec); }
OrderedTable::~OrderedTable() = default;

void OrderedTable::insert(TimeUs time, std::uint64_t hash, std::string_view blob) {
  Impl& t = *impl_;
  const Impl::Row row{time, t.next_sequence++, hash, t.bytes.size(), static_cast<std::uint32_t>(blob.size())};
  t.bytes.append(blob);
  t.heap.push_back(row);
  std::push_heap(t.heap.begin(), t.heap.end(), Impl::later);
  t.fresh.push_back(row);
  t.fresh_popped.push_back(0);
}

void OrderedTable::pop_until(TimeUs until, const std::function<void(TimeUs, std::uint64_t, std::string_view)>& visit) {
  Impl& t = *impl_;
  while (!t.heap.empty() && t.heap.front().time <= until) {
    std::pop_heap(t.heap.begin(), t.heap.end(), Impl::later);
    const Impl::Row row = t.heap.back();
    t.heap.pop_back();
    if (row.sequence >= t.cut_sequence) {
      t.fresh_popped[row.sequence - t.cut_sequence] = 1;
    } else {
      t.erased.add_deleted(row.hash, Impl::key_of(row));
    }
    t.dead_bytes += row.size;
    visit(row.time, row.hash, std::string_view(t.bytes).substr(row.offset, row.size));
  }
}

TimeUs OrderedTable::next_due() const { return impl_->heap.empty() ? kTimeMax : impl_->heap.front().time; }
std::size_t OrderedTable::size() const { return impl_->heap.size(); }
std::size_t OrderedTable::memory_bytes() const {
  return impl_->heap.capacity() * sizeof(Impl::Row) + impl_->fresh.capacity() * sizeof(Impl::Row) + impl_->bytes.capacity();
}

void OrderedTable::take_changes(EncodedChanges& out) {
  Impl& t = *impl_;
  out = std::move(t.erased);
  t.erased.clear();
  for (std::size_t i = 0; i < t.fresh.size(); ++i) {
    if (t.fresh_popped[i] != 0) continue;
    const Impl::Row& row = t.fresh[i];
    out.begin_value(row.hash, Impl::key_of(row), row.size);
    out.bytes.append(t.bytes, row.offset, row.size);
  }
  forget_changes();
}

void OrderedTable::forget_changes() {
  Impl& t = *impl_;
  t.erased.clear();
  t.fresh.clear();
  t.fresh_popped.clear();
  t.cut_sequence = t.next_sequence;
  if (t.heap.empty()) {
    t.bytes.clear();
    t.dead_bytes = 0;
  } else if (t.dead_bytes > (1U << 20) && t.dead_bytes * 2 > t.bytes.size()) {
    t.compact();
  }
}

Status OrderedTable::restore(std::uint64_t hash, std::string_view key, std::string_view value) {
  Impl& t = *impl_;
  ByteReader r(key);
  const TimeUs time = r.i64();
  const std::uint64_t sequence = r.u64();
  if (r.failed() || !r.done()) return fail(ErrorCode::kDamaged, "state table '" + t.spec.name + "': a key is not (time, sequence)");
  t.heap.push_back({time, sequence, hash, t.bytes.size(), static_cast<std::uint32_t>(value.size())});
  std::push_heap(t.heap.begin(), t.heap.end(), Impl::later);
  t.bytes.append(value);
  t.next_sequence = std::max(t.next_sequence, sequence + 1);
  t.cut_sequence = t.next_sequence;
  return ok();
}

OperatorState::OperatorState(const StateSpec& spec, SpillSpace* space) : space_(space) {
  for (const TableSpec& s : spec.tables) {
    Table& t = tables_.emplace_back();
    if (s.kind == TableSpec::Kind::kKeyed) t.keyed = std::make_unique<KeyedTable>(s, space);
    else t.ordered = std::make_unique<OrderedTable>(s);
  }
}
OperatorState::~OperatorState() = default;

KeyedTable& OperatorState::keyed(std::size_t table) {
  SUPYO_CHECK(tables_.at(table).keyed != nullptr);
  return *tables_[table].keyed;
}
OrderedTable& OperatorState::ordered(std::size_t table) {
  SUPYO_CHECK(tables_.at(table).ordered != nullptr);
  return *tables_[table].ordered;
}
void OperatorState::forget_changes() {
  for (Table& t : tables_) t.keyed ? t.keyed->forget_changes() : t.ordered->forget_changes();
}
void OperatorState::take_changes(std::size_t table, EncodedChanges& out) {
  if (tables_.at(table).keyed) tables_[table].keyed->take_changes(out);
  else tables_[table].ordered->take_changes(out);
}
Status OperatorState::call_spilling(const std::function<Status()>& operation) {
  const auto pin = [this](bool pinned) {
    for (Table& t : tables_)
      if (t.keyed) t.keyed->pin(pinned);
  };
  pin(true);
  try {
    SUPYO_TRY(operation());
    pin(false);
    space_->make_room();
  } catch (const SpillFailure& failure) {
    return fail(failure.error);
  }
  return ok();
}
Status OperatorState::restore(std::size_t table, std::shared_ptr<const StoredEntries> entries) {
  if (table >= tables_.size()) return fail(ErrorCode::kDamaged, "state of an unknown table");
  if (tables_[table].keyed) return call([&] { return tables_[table].keyed->restore(std::move(entries)); });
  std::vector<SnapshotEntry> read;
  for (std::size_t range = 0; range < entries->ranges(); ++range) {
    entries->read(range, read);
    for (const SnapshotEntry& e : read) SUPYO_TRY(tables_[table].ordered->restore(e.hash, e.key, e.value));
  }
  return ok();
}
bool OperatorState::load(std::size_t bytes) {
  for (Table& t : tables_) {
    if (!t.keyed || !t.keyed->loading()) continue;
    t.keyed->load(bytes);
    return true;
  }
  return false;
}
const Error* OperatorState::damage() const {
  for (const Table& t : tables_)
    if (t.keyed && t.keyed->damage()) return &*t.keyed->damage();
  return nullptr;
}
std::size_t OperatorState::memory_bytes() const {
  std::size_t n = 0;
  for (const Table& t : tables_) n += t.keyed ? t.keyed->memory_bytes() : t.ordered->memory_bytes();
  return n;
}
std::size_t OperatorState::entries() const {
  std::size_t n = 0;
  for (const Table& t : tables_) n += t.keyed ? t.keyed->size() : t.ordered->size();
  return n;
}

}  // namespace supyo::state
