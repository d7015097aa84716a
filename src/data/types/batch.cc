#include "data/types/batch.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <numeric>

namespace supyo {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t bitmap_bytes(std::size_t rows) { return (rows + 7) / 8; }
std::size_t size_of(std::uint32_t i) { return i; }

/// True when the selection is from, from + 1, from + 2, ...
bool is_run(std::span<const std::uint32_t> selection) {
  if (selection.empty() || selection.back() - selection.front() != selection.size() - 1) return false;
  for (std::size_t i = 1; i < selection.size(); ++i) {
    if (selection[i] != selection[i - 1] + 1) return false;
  }
  return true;
}

template <class T>
void gather(const Buffer& from, std::span<const std::uint32_t> selection, Buffer& to) {
  const T* in = reinterpret_cast<const T*>(from.data());
  T* out = reinterpret_cast<T*>(to.data());
  for (std::size_t i = 0; i < selection.size(); ++i) out[i] = in[selection[i]];
}

BufferPtr gather_fixed(int width, const Buffer& from, std::span<const std::uint32_t> selection) {
  auto to = std::make_shared<Buffer>(selection.size() * static_cast<std::size_t>(width));
  switch (width) {
    case 1: gather<std::uint8_t>(from, selection, *to); break;
    case 2: gather<std::uint16_t>(from, selection, *to); break;
    case 4: gather<std::uint32_t>(from, selection, *to); break;
    case 8: gather<std::uint64_t>(from, selection, *to); break;
    case 16: gather<unsigned __int128>(from, selection, *to); break;
    default: SUPYO_CHECK(false);
  }
  return to;
}

/// The selected bits; null when none of the selected rows is null, so that later kernels take the branch without nulls.
BufferPtr gather_validity(const Buffer& from, std::span<const std::uint32_t> selection) {
  auto to = std::make_shared<Buffer>(bitmap_bytes(selection.size()));
  std::memset(to->data(), 0, to->size());
  const auto* in = reinterpret_cast<const std::uint8_t*>(from.data());
  auto* out = reinterpret_cast<std::uint8_t*>(to->data());
  std::size_t valid = 0;
  for (std::size_t i = 0; i < selection.size(); ++i) {
    const std::uint32_t row = selection[i];
    const unsigned bit = static_cast<unsigned>(in[row >> 3]) >> (row & 7) & 1U;
    out[i >> 3] = static_cast<std::uint8_t>(out[i >> 3] | bit << (i & 7));
    valid += bit;
  }
  return valid == selection.size() ? nullptr : to;
}

ColumnPtr gather_text(const Column& column, std::span<const std::uint32_t> selection, BufferPtr validity) {
  const auto* in = reinterpret_cast<const std::int32_t*>(column.offsets()->data());
  auto offsets = std::make_shared<Buffer>((selection.size() + 1) * sizeof(std::int32_t));
  auto* out = reinterpret_cast<std::int32_t*>(offsets->data());
  std::int64_t total = 0;
  out[0] = 0;
  for (std::size_t i = 0; i < selection.size(); ++i) {
    const std::size_t row = size_of(selection[i]);
    total += in[row + 1] - in[row];
    out[i + 1] = static_cast<std::int32_t>(total);
  }
  SUPYO_CHECK_LE(total, std::int64_t{kMaxLength});
  auto data = std::make_shared<Buffer>(static_cast<std::size_t>(total));
  for (std::size_t i = 0; i < selection.size(); ++i) {
    const std::size_t row = size_of(selection[i]);
    std::memcpy(data->data() + out[i], column.data()->data() + in[row], static_cast<std::size_t>(in[row + 1] - in[row]));
  }
  return std::make_shared<Column>(column.type(), selection.size(), std::move(validity), std::move(data), std::move(offsets));
}

BufferPtr copy_of(const std::byte* from, std::size_t size) {
  auto to = std::make_shared<Buffer>(size);
  if (size > 0) std::memcpy(to->data(), from, size);
  return to;
}

BufferPtr slice_validity(const Buffer& from, std::size_t first, std::size_t count) {
  auto to = std::make_shared<Buffer>(bitmap_bytes(count));
  const auto* in = reinterpret_cast<const std::uint8_t*>(from.data());
  auto* out = reinterpret_cast<std::uint8_t*>(to->data());
  const unsigned shift = first & 7;
  const std::size_t in_bytes = bitmap_bytes(first + count);
  for (std::size_t i = 0; i < to->size(); ++i) {
    const std::size_t at = (first >> 3) + i;
    const unsigned low = static_cast<unsigned>(in[at]) >> shift;
    const unsigned high = at + 1 < in_bytes ? static_cast<unsigned>(in[at + 1]) << (8 - shift) : 0U;
    out[i] = static_cast<std::uint8_t>(low | high);
  }
  return to;
}

/// Rows [0, count) share the buffers; other ranges are copied, because a Column has no offset of its own.
ColumnPtr slice_column(const Column& c, std::size_t from, std::size_t count) {
  if (from == 0) return std::make_shared<Column>(c.type(), count, c.validity(), c.data(), c.offsets());
  BufferPtr validity = c.validity() ? slice_validity(*c.validity(), from, count) : nullptr;
  if (c.offsets()) {
    const auto* in = reinterpret_cast<const std::int32_t*>(c.offsets()->data()) + from;
    auto offsets = std::make_shared<Buffer>((count + 1) * sizeof(std::int32_t));
    auto* out = reinterpret_cast<std::int32_t*>(offsets->data());
    for (std::size_t i = 0; i <= count; ++i) out[i] = in[i] - in[0];
    auto data = copy_of(c.data()->data() + in[0], static_cast<std::size_t>(out[count]));
    return std::make_shared<Column>(c.type(), count, std::move(validity), std::move(data), std::move(offsets));
  }
  BufferPtr data;
  if (const auto width = static_cast<std::size_t>(c.type().width()); width > 0) data = copy_of(c.data()->data() + from * width, count * width);
  return std::make_shared<Column>(c.type(), count, std::move(validity), std::move(data));
}

template <class T>
std::vector<T> take_values(const std::vector<T>& from, std::span<const std::uint32_t> selection) {
  std::vector<T> to;
  if (from.empty()) return to;
  to.reserve(selection.size());
  for (const std::uint32_t row : selection) to.push_back(from[row]);
  return to;
}

template <class T>
std::vector<T> slice_values(const std::vector<T>& from, std::size_t first, std::size_t count) {
  if (from.empty()) return {};
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace

Buffer::Buffer(std::size_t size) : size_(size), capacity_((std::max<std::size_t>(size, 1) + kAlignment - 1) / kAlignment * kAlignment) {
  data_ = static_cast<std::byte*>(std::aligned_alloc(kAlignment, capacity_));
  SUPYO_CHECK(data_ != nullptr);
}

Buffer::~Buffer() { std::free(data_); }

void Buffer::resize(std::size_t size) {
  if (size > capacity_) {
    const std::size_t capacity = (std::max(size, capacity_ * 2) + kAlignment - 1) / kAlignment * kAlignment;
    auto* data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, capacity));
    SUPYO_CHECK(data != nullptr);
    std::memcpy(data, data_, size_);
    std::free(data_);
    data_ = data;
    capacity_ = capacity;
  }
  size_ = size;
}

std::int64_t Column::integer(std::size_t row) const {
  switch (type_.id) {
    case TypeId::kBoolean: return value<std::uint8_t>(row);
    case TypeId::kTinyInt: return value<std::int8_t>(row);
    case TypeId::kSmallInt: return value<std::int16_t>(row);
    case TypeId::kInteger:
    case TypeId::kDate: return value<std::int32_t>(row);
    case TypeId::kBigInt:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampLtz:
    case TypeId::kIntervalMonth:
    case TypeId::kIntervalDay: return value<std::int64_t>(row);
    default: SUPYO_CHECK(false); return 0;
  }
}

ColumnPtr take(const Column& column, std::span<const std::uint32_t> selection) {
  if (column.type().id == TypeId::kNull) return std::make_shared<Column>(column.type(), selection.size(), nullptr, nullptr);
  BufferPtr validity = column.validity() ? gather_validity(*column.validity(), selection) : nullptr;
  if (column.type().is_variable()) return gather_text(column, selection, std::move(validity));
  return std::make_shared<Column>(column.type(), selection.size(), std::move(validity),
                                  gather_fixed(column.type().width(), *column.data(), selection));
}

BatchPtr take(const Batch& batch, std::span<const std::uint32_t> selection) {
  if (is_run(selection)) return slice(batch, selection.front(), selection.size());
  auto out = std::make_shared<Batch>();
  out->rows = selection.size();
  out->columns.reserve(batch.columns.size());
  for (const ColumnPtr& c : batch.columns) out->columns.push_back(take(*c, selection));
  out->kinds = take_values(batch.kinds, selection);
  out->origins = take_values(batch.origins, selection);
  out->edge_watermarks = take_values(batch.edge_watermarks, selection);
  return out;
}

Batch project(const Batch& batch, std::span<const std::size_t> positions) {
  Batch out;
  out.rows = batch.rows;
  for (const std::size_t p : positions) out.columns.push_back(batch.columns[p]);
  return out;
}

BatchPtr slice(const Batch& batch, std::size_t from, std::size_t count) {
  SUPYO_CHECK_LE(from + count, batch.rows);
  auto out = std::make_shared<Batch>();
  out->rows = count;
  out->columns.reserve(batch.columns.size());
  const bool whole = from == 0 && count == batch.rows;
  for (const ColumnPtr& c : batch.columns) out->columns.push_back(whole ? c : slice_column(*c, from, count));
  out->kinds = slice_values(batch.kinds, from, count);
  out->origins = slice_values(batch.origins, from, count);
  out->edge_watermarks = slice_values(batch.edge_watermarks, from, count);
  return out;
}

}  // namespace supyo
