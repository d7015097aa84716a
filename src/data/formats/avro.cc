#include <bit>
#include <cstring>

#include "core/base/bytes.h"
#include "data/formats/codecs.h"

// Avro's binary encoding (specification 1.11, "Binary Encoding"), by the schema that Flink derives from a table: one record, a column that may be null is the union [null, type], TINYINT and
// SMALLINT are int, DATE is int with date, TIME int with time-millis, timestamps long with timestamp-millis (beyond 3 digits timestamp-micros, with
// timestamp_mapping.legacy = false), DECIMAL bytes with decimal. No schema is in the record.
namespace supyo::formats {
namespace {

std::uint64_t zigzag(std::int64_t v) { return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63); }
std::int64_t from_zigzag(std::uint64_t v) { return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1); }

/// How many of our microseconds one of Avro's units is.
std::int64_t unit_us(const Type& type) { return type.id == TypeId::kTime || (type.is_timestamp() && type.precision <= 3) ? kMillisecond : 1; }

class AvroDecoder final : public Decoder {
 public:
  AvroDecoder(const Schema& schema, std::span<const std::size_t> columns) : schema_(schema), cells_(schema.size()), columns_(columns.begin(), columns.end()) {}

  Status decode(std::span<const RecordView> records, BatchBuilder& out, std::vector<std::uint32_t>* good, std::vector<BadRecord>& bad) override {
    for (std::size_t i = 0; i < records.size(); ++i) {
      std::size_t field = 0;
      if (const char* why = read(records[i], field)) {
        bad.push_back({i, field < schema_.size() ? schema_[field].name : "", why});
        continue;
      }
      for (std::size_t c = 0; c < columns_.size(); ++c) append_cell(out.column(c), cells_[columns_[c]]);
      out.end_row();
      if (good != nullptr) good->push_back(static_cast<std::uint32_t>(i));
    }
    return ok();
  }

 private:
  /// The reason why it is no such record, else null; `field`: where.
  const char* read(std::string_view record, std::size_t& field) {
    ByteReader in(record);
    for (; field < schema_.size(); ++field) {
      const Type& type = schema_[field].type;
      Cell& cell = cells_[field];
      cell.null = false;
      if (type.nullable) {
        const std::int64_t branch = from_zigzag(in.varint());
        if (!in.failed() && branch != 0 && branch != 1) return "neither null nor a value: written with another schema?";
        cell.null = branch == 0;
      }
      const char* why = cell.null ? nullptr : read_value(in, type, cell);
      if (in.failed()) return "the record ends too early: written with another schema?";
      if (why != nullptr) return why;
    }
    return in.done() ? nullptr : "the record goes on behind its last column: written with another schema?";
  }

  static const char* read_value(ByteReader& in, const Type& type, Cell& cell) {
    switch (type.id) {
      case TypeId::kBoolean: {
        const std::uint8_t v = in.u8();
        cell.integer = v;
        return v > 1 ? "not a boolean" : nullptr;
      }
      case TypeId::kFloat: cell.number = static_cast<double>(std::bit_cast<float>(in.u32())); return nullptr;
      case TypeId::kDouble: cell.number = std::bit_cast<double>(in.u64()); return nullptr;
      case TypeId::kString:
      case TypeId::kBytes: cell.text = sized(in); return nullptr;
      case TypeId::kDecimal: return read_decimal(sized(in), type, cell);
      default: break;
    }
    const std::int64_t v = from_zigzag(in.varint());
    if (type.id == TypeId::kDate && (v < INT32_MIN || v > INT32_MAX)) return "number out of range";
    if (type.id == TypeId::kTime && (v < 0 || v >= kDay / kMillisecond)) return "not a time";
    if (type.is_integer()) return cell_from_integer(v, type, cell);
    const std::int64_t unit = unit_us(type);
    if (v < INT64_MIN / unit || v > INT64_MAX / unit) return "number out of range";
    cell.integer = v * unit;
    return nullptr;
  }

  static std::string_view sized(ByteReader& in) {
    const std::int64_t n = from_zigzag(in.varint());
    return in.bytes(n < 0 ? UINT64_MAX : static_cast<std::uint64_t>(n));
  }

  /// Two's complement, the highest byte first.
  static const char* read_decimal(std::string_view bytes, const Type& type, Cell& cell) {
    if (bytes.size() > sizeof(Int128)) return "number out of range";
    Int128 v = !bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0x80) != 0 ? -1 : 0;
    for (const char b : bytes) v = static_cast<Int128>(static_cast<unsigned __int128>(v) << 8 | static_cast<unsigned char>(b));
    Int128 limit = 1;
    for (int i = 0; i < type.precision; ++i) limit *= 10;
    if (v >= limit || v <= -limit) return "number out of range";
    cell.decimal = v;
    return nullptr;
  }

  Schema schema_;
  std::vector<Cell> cells_;            // one a field of the record
  std::vector<std::size_t> columns_;
};

class AvroEncoder final : public Encoder {
 public:
  explicit AvroEncoder(const Schema& schema) : schema_(schema) {}
  void encode(const Batch& batch, std::size_t row, std::string& out) override {
    ByteWriter to(out);
    for (std::size_t c = 0; c < schema_.size(); ++c) {
      const Column& column = *batch.columns[c];
      const bool null = column.is_null(row);
      if (schema_[c].type.nullable) to.varint(null ? 0 : 2);
      if (!null) write_value(column, schema_[c].type, row, to, out);
    }
  }

 private:
  static void write_value(const Column& column, const Type& type, std::size_t row, ByteWriter& to, std::string& out) {
    switch (type.id) {
      case TypeId::kBoolean: to.u8(column.integer(row) != 0); return;
      case TypeId::kFloat: to.u32(std::bit_cast<std::uint32_t>(column.value<float>(row))); return;
      case TypeId::kDouble: to.u64(std::bit_cast<std::uint64_t>(column.value<double>(row))); return;
      case TypeId::kString:
      case TypeId::kBytes: {
        const std::string_view text = column.text(row);
        to.varint(zigzag(static_cast<std::int64_t>(text.size())));
        out.append(text);
        return;
      }
      case TypeId::kDecimal: write_decimal(column.value<Int128>(row), to); return;
      default: {
        const std::int64_t v = column.integer(row);
        // Towards the past, also before 1970.
        const std::int64_t unit = unit_us(type);
        to.varint(zigzag(v / unit - (v % unit < 0 ? 1 : 0)));
      }
    }
  }

  /// As few bytes as hold it, as Java's BigInteger writes it.
  static void write_decimal(Int128 v, ByteWriter& to) {
    int bytes = 1;
    while (bytes < 16 && (v >> (8 * bytes - 1)) != 0 && (v >> (8 * bytes - 1)) != -1) ++bytes;
    to.varint(zigzag(bytes));
    for (int i = bytes - 1; i >= 0; --i) to.u8(static_cast<std::uint8_t>(v >> (8 * i)));
  }

  Schema schema_;
};

}  // namespace

std::unique_ptr<Decoder> make_avro_decoder(const Schema& schema, std::span<const std::size_t> columns) { return std::make_unique<AvroDecoder>(schema, columns); }
std::unique_ptr<Encoder> make_avro_encoder(const Schema& schema) { return std::make_unique<AvroEncoder>(schema); }

}  // namespace supyo::formats
