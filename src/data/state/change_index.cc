#include "data/state/change_index.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace supyo::state {
namespace {

constexpr std::size_t kPile = 512;           // changes, about
constexpr int kMaxBits = 12;                 // of piles: more are not written side by side any more
constexpr std::size_t kFirstChunk = 256, kLargestChunk = 64 << 10;

}  // namespace

void ChangeList::add(Journal::StoredTable table, std::span<const ChangeRef> changes) {
  std::vector<Chunk>& chunks = tables_[table];
  while (!changes.empty()) {
    if (chunks.empty() || chunks.back().size == chunks.back().capacity) {
      const std::size_t capacity = chunks.empty() ? kFirstChunk : std::min(chunks.back().capacity * 2, kLargestChunk);
      chunks.push_back({.changes = std::make_unique_for_overwrite<ChangeRef[]>(capacity), .capacity = capacity});
    }
    Chunk& chunk = chunks.back();
    const std::size_t n = std::min(changes.size(), chunk.capacity - chunk.size);
    std::ranges::copy(changes.first(n), chunk.changes.get() + chunk.size);
    chunk.size += n;
    changes = changes.subspan(n);
  }
}

ChangeIndex::ChangeIndex(std::span<const ChangeList> lists, const SideBySide& threads) {
  std::map<Journal::StoredTable, std::size_t> sizes;
  for (const ChangeList& list : lists)
    for (const auto& [table, chunks] : list.tables_)
      for (const auto& chunk : chunks) sizes[table] += chunk.size;
  using Places = std::map<Journal::StoredTable, std::vector<std::size_t>>;   // by pile: at first how many of a list, then where its next goes
  std::vector<Places> places(lists.size());
  for (const auto& [table, size] : sizes) {
    TableIndex& t = tables_[table];
    t.table_ = table;
    t.bits_ = std::min(static_cast<int>(std::bit_width(size / kPile)), kMaxBits);
    t.ends_.resize((std::size_t{1} << t.bits_) + 1);
    t.changes_ = allocate_array<ChangeRef>(size);
    for (Places& p : places) p[table].resize(t.piles());
  }
  const auto for_each = [&](std::size_t part, const auto& visit) {
    for (std::size_t i = lists.size() * part / threads.parts(); i < lists.size() * (part + 1) / threads.parts(); ++i)
      for (const auto& [table, chunks] : lists[i].tables_) {
        const TableIndex& t = tables_.at(table);
        std::vector<std::size_t>& at = places[i].at(table);
        for (const auto& chunk : chunks)
          for (const ChangeRef& c : chunk.all()) visit(t, at[t.pile_of(c.hash)], c);
      }
  };
  threads.run([&](std::size_t part) { for_each(part, [](const TableIndex&, std::size_t& place, const ChangeRef&) { ++place; }); });
  for (auto& [table, t] : tables_) {
    std::size_t next = 0;
    for (std::size_t pile = 0; pile < t.piles(); ++pile) {
      t.ends_[pile] = next;
      for (Places& p : places) next += std::exchange(p.at(table)[pile], next);
    }
    t.ends_.back() = next;
  }
  threads.run([&](std::size_t part) { for_each(part, [](const TableIndex& t, std::size_t& place, const ChangeRef& c) { t.changes_[place++] = c; }); });
}

std::size_t TableIndex::count(std::uint64_t first, std::uint64_t last) const {
  std::size_t n = 0;
  for (std::size_t p = pile_of(first), end = pile_of(last); p <= end; ++p) {
    const bool whole = first <= first_hash(p) && (p + 1 == piles() ? last == UINT64_MAX : last >= first_hash(p + 1) - 1);
    n += whole ? pile(p).size() : static_cast<std::size_t>(std::ranges::count_if(pile(p), [&](const ChangeRef& c) { return c.hash - first <= last - first; }));
  }
  return n;
}

std::size_t TableIndex::read(std::uint64_t first, std::uint64_t last, std::vector<ChangeView>& out) const {
  struct Found {
    ChangeRef change;
    std::size_t number;   // in order of writing
  };
  std::vector<Found> found;
  for (std::size_t p = pile_of(first), end = pile_of(last); p <= end; ++p)
    for (const ChangeRef& c : pile(p)) {
      if (c.hash - first > last - first) continue;
      __builtin_prefetch(c.at);   // it is read when all are in order
      found.push_back({.change = c, .number = found.size()});
    }
  std::ranges::sort(found, [](const Found& x, const Found& y) {
    if (x.change.hash != y.change.hash) return x.change.hash < y.change.hash;
    const int c = change_at(x.change).key.compare(change_at(y.change).key);
    return c != 0 ? c < 0 : x.number > y.number;   // the last write first
  });
  out.clear();
  for (const Found& f : found) {
    ChangeView c = change_at(f.change);
    c.operator_id = table_.operator_id;
    c.table = table_.table;
    if (out.empty() || out.back().hash != c.hash || out.back().key != c.key) out.push_back(c);
  }
  return found.size();
}

}  // namespace supyo::state
