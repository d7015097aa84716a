// The shared module libsupyo_parquet.so: its entry, and how the types of the two worlds meet. Built by supyo_build_modules(), loaded by parquet_load.cc.
#include <fmt/format.h>

#include "data/formats/parquet_arrow.h"

namespace supyo::formats {

Result<std::shared_ptr<arrow::DataType>> arrow_type(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean: return arrow::boolean();
    case TypeId::kTinyInt:
    case TypeId::kSmallInt:
    case TypeId::kInteger: return arrow::int32();
    case TypeId::kBigInt: return arrow::int64();
    case TypeId::kFloat: return arrow::float32();
    case TypeId::kDouble: return arrow::float64();
    case TypeId::kDecimal: return arrow::decimal128(type.precision, type.scale);
    case TypeId::kString: return arrow::utf8();
    case TypeId::kBytes: return arrow::binary();
    case TypeId::kDate: return arrow::date32();
    case TypeId::kTime: return arrow::time64(arrow::TimeUnit::MICRO);
    case TypeId::kTimestamp: return arrow::timestamp(arrow::TimeUnit::MICRO);
    case TypeId::kTimestampLtz: return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case TypeId::kArray: {
      SUPYO_ASSIGN(auto element, arrow_type(type.children()[0]));
      return arrow::list(arrow::field("element", std::move(element), type.children()[0].nullable));
    }
    case TypeId::kMap: {
      SUPYO_ASSIGN(auto key, arrow_type(type.children()[0]));
      SUPYO_ASSIGN(auto value, arrow_type(type.children()[1]));
      return arrow::map(std::move(key), arrow::field("value", std::move(value), type.children()[1].nullable));
    }
    case TypeId::kRow: {
      arrow::FieldVector fields;
      for (std::size_t i = 0; i < type.children().size(); ++i) {
        SUPYO_ASSIGN(auto field, arrow_type(type.children()[i]));
        fields.push_back(arrow::field(type.field_names()[i], std::move(field), type.children()[i].nullable));
      }
      return arrow::struct_(std::move(fields));
    }
    default: return fail(ErrorCode::kUnsupported, fmt::format("a Parquet file cannot hold {}", type.to_string()), "cast the column to BIGINT or STRING");
  }
}

std::optional<Type> sql_type(const arrow::Field& field) {
  const auto type = sql_type(*field.type());
  return type ? std::optional(type->as_nullable(field.nullable())) : std::nullopt;
}

std::optional<Type> sql_type(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::LIST: {
      const auto element = sql_type(*static_cast<const arrow::ListType&>(type).value_field());
      return element ? std::optional(Type::array(*element)) : std::nullopt;
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      const auto key = sql_type(*map.key_field()), value = sql_type(*map.item_field());
      return key && value ? std::optional(Type::map(*key, *value)) : std::nullopt;
    }
    case arrow::Type::STRUCT: {
      std::vector<std::string> names;   // a field of a kind that SQL does not have is left out
      std::vector<Type> types;
      for (const auto& field : type.fields()) {
        const auto t = sql_type(*field);
        if (!t) continue;
        names.push_back(field->name());
        types.push_back(*t);
      }
      return names.empty() ? std::nullopt : std::optional(Type::row(std::move(names), std::move(types)));
    }
    case arrow::Type::BOOL: return Type::boolean();
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16: return Type::integer();
    case arrow::Type::UINT32:
    case arrow::Type::INT64: return Type::big_int();
    case arrow::Type::FLOAT: return Type::float_();
    case arrow::Type::DOUBLE: return Type::double_();
    case arrow::Type::DECIMAL32:
    case arrow::Type::DECIMAL64:
    case arrow::Type::DECIMAL128: {
      const auto& d = static_cast<const arrow::DecimalType&>(type);
      if (d.scale() < 0 || d.scale() > d.precision()) return std::nullopt;
      return Type::decimal(d.precision(), d.scale());
    }
    case arrow::Type::STRING: return Type::string();
    case arrow::Type::BINARY:
    case arrow::Type::FIXED_SIZE_BINARY: return Type::bytes();
    case arrow::Type::DATE32: return Type::date();
    case arrow::Type::TIME32:
    case arrow::Type::TIME64: return Type::time(6);
    case arrow::Type::TIMESTAMP:
      return static_cast<const arrow::TimestampType&>(type).timezone().empty() ? Type::timestamp(6) : Type::timestamp_ltz(6);
    default: return std::nullopt;
  }
}

Error from_arrow(const arrow::Status& status, ErrorCode code, const std::string& what) {
  return Error{status.IsOutOfMemory() ? ErrorCode::kIo : code, fmt::format("{}: {}", what, status.message())};
}

namespace {

class Module final : public ParquetModule {
 public:
  int abi() const override { return kAbi; }
  Result<std::unique_ptr<ParquetWriter>> writer(const std::vector<ParquetField>& schema, const ParquetWriteOptions& options, ParquetOutput output) override {
    return open_arrow_writer(schema, options, std::move(output));
  }
  Result<std::unique_ptr<ParquetReader>> reader(std::string_view bytes, const std::string& name, const std::vector<ParquetField>& columns, std::int64_t first_row) override {
    return open_arrow_reader(bytes, name, columns, first_row);
  }
};

}  // namespace
}  // namespace supyo::formats

extern "C" __attribute__((visibility("default"))) supyo::formats::ParquetModule* supyo_parquet_module() {
  static supyo::formats::Module module;
  return &module;
}
