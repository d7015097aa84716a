#include "data/formats/columnar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <unordered_map>

#include "core/base/bytes.h"
#include "data/types/value.h"

namespace supyo::formats {
namespace {

constexpr std::uint32_t kMagic = 0x43505553;   // "SUPC"
constexpr std::uint16_t kVersion = 2;
constexpr std::size_t kMostColumns = 4096;
constexpr std::size_t kMostText = 256U << 20;  // of a column once its dictionary is resolved

struct Head {
  std::uint32_t magic = kMagic;
  std::uint16_t version = kVersion;
  std::uint16_t columns = 0;
  std::uint32_t rows = 0;
  std::uint32_t schema_bytes = 0;   // a multiple of 8
};
static_assert(sizeof(Head) == 16);

enum class Encoding : std::uint8_t {
  kAllNull = 0,
  kPlain = 1,        // values in the type's width
  kOffset = 2,       // base + an unsigned number of 0 to 8 bytes
  kText = 3,         // lengths, bytes
  kDictionary = 4,   // lengths and bytes of the distinct texts, then the number of each row's
};

struct BodyHead {
  Encoding encoding = Encoding::kAllNull;
  std::uint8_t has_nulls = 0;
  std::uint8_t width = 0;          // kOffset: of a number; kText, kDictionary: of a length
  std::uint8_t reserved = 0;
  std::uint32_t entries = 0;       // kDictionary
  std::int64_t base = 0;           // kOffset
};
static_assert(sizeof(BodyHead) == 16);

// Numbers of the types in a file. They stay.
constexpr std::array<TypeId, 14> kTypes = {TypeId::kBoolean, TypeId::kTinyInt, TypeId::kSmallInt, TypeId::kInteger, TypeId::kBigInt, TypeId::kFloat, TypeId::kDouble,
                                           TypeId::kDecimal, TypeId::kString, TypeId::kBytes, TypeId::kDate, TypeId::kTime, TypeId::kTimestamp, TypeId::kTimestampLtz};

std::uint8_t number_of(TypeId id) {
  const auto at = std::find(kTypes.begin(), kTypes.end(), id);
  return at == kTypes.end() ? 0 : static_cast<std::uint8_t>(at - kTypes.begin() + 1);
}
bool has_precision(TypeId id) { return id == TypeId::kDecimal || id == TypeId::kTime || id == TypeId::kTimestamp || id == TypeId::kTimestampLtz; }

std::size_t padded(std::size_t n) { return (n + 7) / 8 * 8; }
void pad(std::string& out, std::size_t from) { out.resize(from + padded(out.size() - from), '\0'); }

std::unexpected<Error> malformed(std::string_view what) { return fail(ErrorCode::kMalformedRecord, fmt::format("columnar block: {}", what)); }

// ---- writing ----

std::string schema_section(const Schema& schema) {
  std::string out;
  ByteWriter w(out);
  for (const Field& f : schema.fields()) {
    w.u8(number_of(f.type.id));
    w.u8(has_precision(f.type.id) ? static_cast<std::uint8_t>(f.type.precision) : 0);
    w.u8(f.type.id == TypeId::kDecimal ? static_cast<std::uint8_t>(f.type.scale) : 0);
    w.text(f.name);
  }
  pad(out, 0);
  return out;
}

std::uint8_t width_for(std::uint64_t most) { return most == 0 ? 0 : most <= 0xff ? 1 : most <= 0xffff ? 2 : most <= 0xffffffff ? 4 : 8; }

/// `get(i)` for i < n as unsigned numbers of `width` bytes, padded.
template <class Get>
void put_numbers(std::string& out, std::uint8_t width, std::size_t n, Get&& get) {
  const std::size_t from = out.size();
  out.resize(from + padded(n * width), '\0');
  char* to = out.data() + from;
  for (std::size_t i = 0; i < n && width > 0; ++i) {
    const std::uint64_t v = get(i);
    std::memcpy(to + i * width, &v, width);
  }
}

std::int64_t decimal_or_integer(const Column& c, std::size_t row) { return c.type().id == TypeId::kDecimal ? static_cast<std::int64_t>(c.value<Int128>(row)) : c.integer(row); }

/// Least and most of the values that are not null; false when one does not fit.
bool bounds(const Column& c, std::int64_t& least, std::int64_t& most) {
  least = std::numeric_limits<std::int64_t>::max();
  most = std::numeric_limits<std::int64_t>::min();
  for (std::size_t r = 0; r < c.length(); ++r) {
    if (c.is_null(r)) continue;
    if (c.type().id == TypeId::kDecimal && c.value<Int128>(r) != static_cast<std::int64_t>(c.value<Int128>(r))) return false;
    const std::int64_t v = decimal_or_integer(c, r);
    least = std::min(least, v);
    most = std::max(most, v);
  }
  return true;
}

void put_fixed(const Column& c, BodyHead head, std::string& out, std::size_t at) {
  std::int64_t least, most;
  const auto width = static_cast<std::size_t>(c.type().width());
  if (!c.type().is_floating() && bounds(c, least, most)) {
    const std::uint8_t narrow = width_for(static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least));
    if (narrow < width) {
      head.encoding = Encoding::kOffset;
      head.width = narrow;
      head.base = least;
      put_numbers(out, narrow, c.length(), [&](std::size_t r) { return c.is_null(r) ? 0 : static_cast<std::uint64_t>(decimal_or_integer(c, r)) - static_cast<std::uint64_t>(least); });
      std::memcpy(out.data() + at, &head, sizeof head);
      return;
    }
  }
  head.encoding = Encoding::kPlain;
  const std::size_t from = out.size();
  out.append(reinterpret_cast<const char*>(c.data()->data()), c.length() * width);
  for (std::size_t r = 0; r < c.length() && c.has_nulls(); ++r)
    if (c.is_null(r)) std::memset(out.data() + from + r * width, 0, width);
  pad(out, from);
  std::memcpy(out.data() + at, &head, sizeof head);
}

void put_texts(std::string& out, BodyHead& head, std::size_t n, const auto& text) {
  std::size_t longest = 0;
  for (std::size_t i = 0; i < n; ++i) longest = std::max(longest, text(i).size());
  head.width = width_for(longest);
  put_numbers(out, head.width, n, [&](std::size_t i) { return text(i).size(); });
}

void put_text(const Column& c, BodyHead head, std::string& out, std::size_t at) {
  const auto text = [&](std::size_t r) { return c.is_null(r) ? std::string_view() : c.text(r); };
  std::unordered_map<std::string_view, std::uint8_t> codes;
  std::vector<std::string_view> entries;
  std::vector<std::uint8_t> code;
  std::size_t bytes = 0, distinct_bytes = 0;
  for (std::size_t r = 0; r < c.length(); ++r) {
    bytes += text(r).size();
    if (entries.size() > 255) continue;   // too many
    const auto [it, fresh] = codes.emplace(text(r), static_cast<std::uint8_t>(entries.size()));
    if (fresh) entries.push_back(text(r)), distinct_bytes += text(r).size();
    code.push_back(it->second);
  }
  if (code.size() == c.length() && entries.size() <= 256 && bytes > distinct_bytes + 2 * entries.size() + c.length() && bytes <= kMostText) {
    head.encoding = Encoding::kDictionary;
    head.entries = static_cast<std::uint32_t>(entries.size());
    put_texts(out, head, entries.size(), [&](std::size_t i) { return entries[i]; });
    put_numbers(out, 1, code.size(), [&](std::size_t i) { return code[i]; });
    for (const std::string_view e : entries) out.append(e);
  } else {
    head.encoding = Encoding::kText;
    put_texts(out, head, c.length(), text);
    for (std::size_t r = 0; r < c.length(); ++r) out.append(text(r));
  }
  pad(out, at);
  std::memcpy(out.data() + at, &head, sizeof head);
}

void put_column(const Column& c, std::string& out) {
  BodyHead head;
  const std::size_t at = out.size();
  out.append(reinterpret_cast<const char*>(&head), sizeof head);
  std::size_t nulls = 0;
  for (std::size_t r = 0; r < c.length() && c.has_nulls(); ++r) nulls += c.is_null(r) ? 1 : 0;
  if (nulls == c.length()) return;
  if (nulls > 0) {
    head.has_nulls = 1;
    const std::size_t bitmap = (c.length() + 7) / 8;
    const std::size_t from = out.size();
    out.append(reinterpret_cast<const char*>(c.validity()->data()), bitmap);
    if (c.length() % 8 != 0) out.back() = static_cast<char>(out.back() & ((1 << c.length() % 8) - 1));
    pad(out, from);
  }
  if (c.type().is_variable()) put_text(c, head, out, at);
  else put_fixed(c, head, out, at);
}

// ---- reading ----

/// Bytes from the front, padded or not; `failed` when there are not as many.
struct Cut {
  std::string_view rest;
  bool failed = false;
  const char* take(std::size_t n) {
    if (failed || n > rest.size()) {
      failed = true;
      return nullptr;
    }
    const char* at = rest.data();
    rest.remove_prefix(n);
    return at;
  }
};

struct Parts {
  Head head;
  std::string_view schema;
  std::vector<std::string_view> bodies;   ///< version 1
};

Result<Parts> split(std::string_view block) {
  Cut cut{block};
  Parts p;
  const char* at = cut.take(sizeof(Head));
  if (at == nullptr) return malformed("it is shorter than its head");
  std::memcpy(&p.head, at, sizeof(Head));
  if (p.head.magic != kMagic) return malformed("it does not begin as one");
  if (p.head.version == 0 || p.head.version > kVersion) return fail(ErrorCode::kFormatVersion, fmt::format("columnar block of version {}: this Supyo reads versions up to {}", p.head.version, kVersion), "read it with a newer Supyo");
  if (p.head.rows == 0 || p.head.rows > Batch::kMaxRows || p.head.columns > kMostColumns || p.head.schema_bytes % 8 != 0) return malformed("its head is wrong");
  const bool inside = p.head.version == 1;
  const char* sizes = cut.take(inside ? padded(4U * p.head.columns) : 0);
  const char* schema = cut.take(p.head.schema_bytes);
  if (cut.failed) return malformed("its head ends early");
  p.schema = {schema, p.head.schema_bytes};
  for (std::size_t c = 0; inside && c < p.head.columns; ++c) {
    std::uint32_t size;
    std::memcpy(&size, sizes + 4 * c, sizeof size);
    const char* body = cut.take(size);
    if (cut.failed) return malformed("a column ends early");
    p.bodies.emplace_back(body, size);
  }
  return p;
}

Result<Schema> parse_schema(std::string_view bytes, std::size_t columns) {
  Schema schema;
  ByteReader r(bytes);
  for (std::size_t c = 0; c < columns; ++c) {
    const std::uint8_t number = r.u8();
    const int precision = r.u8();
    const int scale = r.u8();
    const std::string_view name = r.text();
    if (r.failed() || number == 0 || number > kTypes.size() || (kTypes[number - 1] == TypeId::kDecimal ? precision < 1 || precision > kMaxDecimalPrecision || scale > precision : precision > 9))
      return malformed("its columns are not readable");
    Type type{.id = kTypes[number - 1], .precision = precision, .scale = scale};
    if (type.is_variable()) type.precision = kMaxLength;
    schema.add(std::string(name), type);
  }
  return schema;
}

/// What is stored as `from` can be read as `to` without a change.
bool fits(const Type& from, const Type& to) {
  if (from.id != to.id) return false;
  if (from.id == TypeId::kDecimal) return from.precision == to.precision && from.scale == to.scale;
  return !has_precision(from.id) || from.precision <= to.precision;
}

template <class To, class From>
void widen(const char* from, std::size_t n, std::int64_t base, To* to) {
  for (std::size_t i = 0; i < n; ++i) {
    From v;
    std::memcpy(&v, from + i * sizeof(From), sizeof v);
    to[i] = static_cast<To>(static_cast<std::int64_t>(static_cast<std::uint64_t>(base) + v));
  }
}
template <class To>
bool widen(const char* from, std::uint8_t width, std::size_t n, std::int64_t base, To* to) {
  switch (width) {
    case 0: std::fill_n(to, n, static_cast<To>(base)); return true;
    case 1: widen<To, std::uint8_t>(from, n, base, to); return true;
    case 2: widen<To, std::uint16_t>(from, n, base, to); return true;
    case 4: widen<To, std::uint32_t>(from, n, base, to); return true;
    case 8: widen<To, std::uint64_t>(from, n, base, to); return true;
    default: return false;
  }
}
bool widen_to(std::size_t type_width, const char* from, std::uint8_t width, std::size_t n, std::int64_t base, std::byte* to) {
  switch (type_width) {
    case 1: return widen(from, width, n, base, reinterpret_cast<std::int8_t*>(to));
    case 2: return widen(from, width, n, base, reinterpret_cast<std::int16_t*>(to));
    case 4: return widen(from, width, n, base, reinterpret_cast<std::int32_t*>(to));
    case 8: return widen(from, width, n, base, reinterpret_cast<std::int64_t*>(to));
    default: return widen(from, width, n, base, reinterpret_cast<Int128*>(to));
  }
}

ColumnPtr all_null(const Type& type, std::size_t rows) {
  auto validity = std::make_shared<Buffer>((rows + 7) / 8);
  std::memset(validity->data(), 0, validity->size());
  auto data = std::make_shared<Buffer>(rows * static_cast<std::size_t>(type.width()));
  std::memset(data->data(), 0, data->size());
  BufferPtr offsets;
  if (type.is_variable()) {
    offsets = std::make_shared<Buffer>((rows + 1) * sizeof(std::int32_t));
    std::memset(offsets->data(), 0, offsets->size());
  }
  return std::make_shared<Column>(type, rows, std::move(validity), std::move(data), std::move(offsets));
}

Result<ColumnPtr> read_fixed(Cut& cut, const BodyHead& head, const Type& type, std::size_t rows, const BufferPtr& validity) {
  const auto width = static_cast<std::size_t>(type.width());
  auto data = std::make_shared<Buffer>(rows * width);
  if (head.encoding == Encoding::kPlain) {
    const char* from = cut.take(rows * width);
    if (cut.failed) return malformed("a column ends early");
    std::memcpy(data->data(), from, rows * width);
  } else {
    if (head.encoding != Encoding::kOffset || type.is_floating()) return malformed("a column is not encoded as its type is");
    const char* from = cut.take(rows * head.width);
    if (cut.failed || !widen_to(width, from, head.width, rows, head.base, data->data())) return malformed("a column ends early");
  }
  if (type.id == TypeId::kBoolean)
    for (std::size_t r = 0; r < rows; ++r) data->data()[r] &= std::byte{1};
  if (validity) {
    const auto* bits = reinterpret_cast<const std::uint8_t*>(validity->data());
    for (std::size_t r = 0; r < rows; ++r)   // the slot of a null row is zero
      if ((bits[r >> 3] >> (r & 7) & 1) == 0) std::memset(data->data() + r * width, 0, width);
  }
  return std::make_shared<const Column>(type, rows, validity, std::move(data));
}

/// Ends of `n` texts from their lengths, [0] = 0; false when they are more than `most` bytes.
bool read_ends(Cut& cut, std::uint8_t width, std::size_t n, std::size_t most, std::int32_t* ends) {
  const char* lengths = cut.take(padded(n * width));
  if (cut.failed || width > 4) return false;
  ends[0] = 0;
  // As signed numbers: a length above 2 GiB is negative, and no end may lie before the one before it.
  if (!widen(lengths, width, n, 0, ends + 1)) return false;
  std::int64_t end = 0;
  bool good = true;
  for (std::size_t i = 1; i <= n; ++i) {
    good = good && ends[i] >= 0;
    end += ends[i];
    ends[i] = static_cast<std::int32_t>(end);
  }
  return good && static_cast<std::uint64_t>(end) <= most;
}

Result<ColumnPtr> read_text(Cut& cut, const BodyHead& head, const Type& type, std::size_t rows, const BufferPtr& validity) {
  auto offsets = std::make_shared<Buffer>((rows + 1) * sizeof(std::int32_t));
  auto* ends = reinterpret_cast<std::int32_t*>(offsets->data());
  if (head.encoding == Encoding::kText) {
    if (!read_ends(cut, head.width, rows, cut.rest.size(), ends)) return malformed("lengths of texts are wrong");
    const auto size = static_cast<std::size_t>(ends[rows]);
    const char* from = cut.take(size);
    if (cut.failed) return malformed("a column ends early");
    auto data = std::make_shared<Buffer>(size);
    if (size > 0) std::memcpy(data->data(), from, size);
    return std::make_shared<const Column>(type, rows, validity, std::move(data), std::move(offsets));
  }
  if (head.encoding != Encoding::kDictionary || head.entries == 0 || head.entries > 256) return malformed("a column is not encoded as its type is");
  std::array<std::int32_t, 257> entry;
  if (!read_ends(cut, head.width, head.entries, cut.rest.size(), entry.data())) return malformed("lengths of texts are wrong");
  const auto* codes = reinterpret_cast<const std::uint8_t*>(cut.take(padded(rows)));
  const char* texts = cut.take(static_cast<std::size_t>(entry[head.entries]));
  if (cut.failed) return malformed("a column ends early");
  std::size_t total = 0;
  ends[0] = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    if (codes[r] >= head.entries) return malformed("a text is not in the dictionary");
    total += static_cast<std::size_t>(entry[codes[r] + 1U] - entry[codes[r]]);
    if (total > kMostText) return malformed("its texts are too long");
    ends[r + 1] = static_cast<std::int32_t>(total);
  }
  auto data = std::make_shared<Buffer>(total);
  char* to = reinterpret_cast<char*>(data->data());
  for (std::size_t r = 0; r < rows; ++r) {
    const std::int32_t n = ends[r + 1] - ends[r];
    if (n > 0) std::memcpy(to + ends[r], texts + entry[codes[r]], static_cast<std::size_t>(n));
  }
  return std::make_shared<const Column>(type, rows, validity, std::move(data), std::move(offsets));
}

Result<ColumnPtr> read_column(std::string_view body, const Type& type, std::size_t rows) {
  Cut cut{body};
  BodyHead head;
  const char* at = cut.take(sizeof head);
  if (at == nullptr) return malformed("a column ends early");
  std::memcpy(&head, at, sizeof head);
  if (head.encoding == Encoding::kAllNull) return all_null(type, rows);
  BufferPtr validity;
  if (head.has_nulls != 0) {
    const std::size_t bytes = (rows + 7) / 8;
    const char* bits = cut.take(padded(bytes));
    if (bits == nullptr) return malformed("a column ends early");
    validity = std::make_shared<Buffer>(bytes);
    std::memcpy(validity->data(), bits, bytes);
  }
  return type.is_variable() ? read_text(cut, head, type, rows, validity) : read_fixed(cut, head, type, rows, validity);
}

}  // namespace

Status check_columnar(const Schema& schema) {
  for (const Field& f : schema.fields()) {
    if (f.nested) return fail(ErrorCode::kUnsupported, fmt::format("format 'columnar' has no ROWs, and '{}' is a field of one", f.name), "declare plain columns, or use json");
    if (number_of(f.type.id) == 0) return fail(ErrorCode::kUnsupported, fmt::format("format 'columnar' cannot hold column '{}' of type {}", f.name, f.type.to_string()), "use json, or plain columns");
  }
  if (schema.size() > kMostColumns) return fail(ErrorCode::kUnsupported, fmt::format("format 'columnar' holds up to {} columns", kMostColumns));
  return ok();
}

ColumnarBlock encode_columns(const Batch& batch, const Schema& schema) {
  SUPYO_CHECK_EQ(batch.columns.size(), schema.size());
  SUPYO_CHECK(batch.rows > 0 && batch.rows <= Batch::kMaxRows && batch.kinds.empty());
  const std::string names = schema_section(schema);
  const Head head{.columns = static_cast<std::uint16_t>(schema.size()), .rows = static_cast<std::uint32_t>(batch.rows), .schema_bytes = static_cast<std::uint32_t>(names.size())};
  ColumnarBlock out;
  out.head.append(reinterpret_cast<const char*>(&head), sizeof head).append(names);
  for (const ColumnPtr& column : batch.columns) {
    const std::size_t from = out.columns.size();
    put_column(*column, out.columns);
    out.bytes.push_back(static_cast<std::uint32_t>(out.columns.size() - from));
  }
  return out;
}

Result<Schema> columns_of(std::string_view head) {
  SUPYO_ASSIGN(const Parts parts, split(head));
  return parse_schema(parts.schema, parts.head.columns);
}

Status ColumnarDecoder::map_columns(std::string_view schema, std::size_t columns) {
  if (source_.size() == wanted_.size() && schema == schema_ && !schema.empty()) return ok();   // as in the block before
  SUPYO_ASSIGN(const Schema stored, parse_schema(schema, columns));
  std::vector<std::ptrdiff_t> source;
  for (const Field& f : wanted_.fields()) {
    const auto at = stored.find(f.name);
    source.push_back(at ? static_cast<std::ptrdiff_t>(*at) : -1);
    if (at && !fits(stored[*at].type, f.type))
      return fail(ErrorCode::kTypeMismatch, fmt::format("column '{}' is declared {} and was written as {}", f.name, f.type.to_string(), stored[*at].type.to_string()),
                  "declare it as it was written, and CAST in the query; a new type needs a new column or a new topic");
  }
  source_ = std::move(source);
  schema_ = schema;
  return ok();
}

void ColumnarDecoder::select(std::string_view head, std::vector<bool>& columns) {
  const auto parts = split(head);
  if (!parts || !map_columns(parts->schema, parts->head.columns)) return;
  for (const std::ptrdiff_t c : source_)
    if (c >= 0 && static_cast<std::size_t>(c) < columns.size()) columns[static_cast<std::size_t>(c)] = true;
}

Result<BatchPtr> ColumnarDecoder::decode(std::string_view head, std::span<const std::string_view> columns, std::size_t rows) {
  SUPYO_ASSIGN(const Parts parts, split(head));
  if (parts.head.version == 1) columns = parts.bodies;
  if (parts.head.rows != rows) return malformed("it has another number of rows than its frame says");
  if (parts.head.columns != columns.size()) return malformed("it has another number of columns than its frame");
  SUPYO_TRY(map_columns(parts.schema, parts.head.columns));
  auto batch = std::make_shared<Batch>();
  batch->rows = rows;
  for (std::size_t c = 0; c < wanted_.size(); ++c) {
    if (source_[c] < 0) {
      batch->columns.push_back(all_null(wanted_[c].type, rows));
      continue;
    }
    if (source_[c] >= static_cast<std::ptrdiff_t>(columns.size())) return malformed("it has fewer columns than names");
    SUPYO_ASSIGN(ColumnPtr column, read_column(columns[static_cast<std::size_t>(source_[c])], wanted_[c].type, rows));
    batch->columns.push_back(std::move(column));
  }
  return BatchPtr(std::move(batch));
}

}  // namespace supyo::formats
