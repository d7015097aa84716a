#include <fmt/format.h>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>

#include <algorithm>
#include <limits>

#include "data/formats/parquet_arrow.h"
#include "data/types/builder.h"
#include "data/types/nested.h"

namespace supyo::formats {
namespace {

BufferPtr copy_validity(const arrow::Array& array) {
  if (array.null_count() == 0) return nullptr;
  const auto rows = static_cast<std::size_t>(array.length());
  auto out = std::make_shared<Buffer>((rows + 7) / 8);
  auto* bits = reinterpret_cast<std::uint8_t*>(out->data());
  if (array.offset() % 8 == 0) {
    std::memcpy(bits, array.null_bitmap_data() + array.offset() / 8, out->size());
  } else {
    std::memset(bits, 0, out->size());
    for (std::size_t i = 0; i < rows; ++i)
      if (array.IsValid(static_cast<std::int64_t>(i))) bits[i >> 3] = static_cast<std::uint8_t>(bits[i >> 3] | 1U << (i & 7));
  }
  return out;
}

// Values of the array, each through `convert`, as T.
template <class T, class From, class Convert>
BufferPtr convert_values(const arrow::Array& array, Convert&& convert) {
  const auto rows = static_cast<std::size_t>(array.length());
  auto out = std::make_shared<Buffer>(rows * sizeof(T));
  const From* from = array.data()->GetValues<From>(1);
  T* to = reinterpret_cast<T*>(out->data());
  for (std::size_t i = 0; i < rows; ++i) to[i] = convert(from[i]);
  return out;
}

template <class T>
BufferPtr copy_values(const arrow::Array& array) {
  auto out = std::make_shared<Buffer>(static_cast<std::size_t>(array.length()) * sizeof(T));
  if (array.length() > 0) std::memcpy(out->data(), array.data()->GetValues<T>(1), out->size());
  return out;
}

// Any integer column as the width asked for; `fitting` turns false when a value (not a null's slot) does not fit.
template <class T>
BufferPtr integers(const arrow::Array& array, bool& fitting) {
  const auto from = [&]<class From>(From) {
    std::size_t row = 0;
    return convert_values<T, From>(array, [&](From v) {
      if (!std::in_range<T>(v) && array.IsValid(static_cast<std::int64_t>(row))) fitting = false;
      ++row;
      return static_cast<T>(v);
    });
  };
  switch (array.type_id()) {
    case arrow::Type::INT8: return from(std::int8_t{});
    case arrow::Type::INT16: return from(std::int16_t{});
    case arrow::Type::INT32: return from(std::int32_t{});
    case arrow::Type::UINT8: return from(std::uint8_t{});
    case arrow::Type::UINT16: return from(std::uint16_t{});
    case arrow::Type::UINT32: return from(std::uint32_t{});
    default: return from(std::int64_t{});
  }
}

BufferPtr microseconds(const arrow::Array& array, arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND: return convert_values<std::int64_t, std::int64_t>(array, [](std::int64_t v) { return v * 1'000'000; });
    case arrow::TimeUnit::MILLI: return convert_values<std::int64_t, std::int64_t>(array, [](std::int64_t v) { return v * 1'000; });
    case arrow::TimeUnit::MICRO: return copy_values<std::int64_t>(array);
    default: return convert_values<std::int64_t, std::int64_t>(array, [](std::int64_t v) { return v >= 0 ? v / 1'000 : -((-v + 999) / 1'000); });
  }
}

BufferPtr decimals(const arrow::Array& array) {
  if (array.type_id() == arrow::Type::DECIMAL32) return convert_values<Int128, std::int32_t>(array, [](std::int32_t v) { return Int128{v}; });
  if (array.type_id() == arrow::Type::DECIMAL64) return convert_values<Int128, std::int64_t>(array, [](std::int64_t v) { return Int128{v}; });
  auto out = std::make_shared<Buffer>(static_cast<std::size_t>(array.length()) * sizeof(Int128));
  if (array.length() > 0) std::memcpy(out->data(), array.data()->GetValues<std::uint8_t>(1, 0) + array.offset() * 16, out->size());
  return out;
}

BufferPtr booleans(const arrow::Array& array) {
  const auto& typed = static_cast<const arrow::BooleanArray&>(array);
  auto out = std::make_shared<Buffer>(static_cast<std::size_t>(array.length()));
  auto* to = reinterpret_cast<std::uint8_t*>(out->data());
  for (std::int64_t i = 0; i < array.length(); ++i) to[i] = typed.Value(i) ? 1 : 0;
  return out;
}

ColumnPtr variable_column(const arrow::Array& array, const Type& type, BufferPtr validity) {
  const auto rows = static_cast<std::size_t>(array.length());
  auto offsets = std::make_shared<Buffer>((rows + 1) * sizeof(std::int32_t));
  auto* to = reinterpret_cast<std::int32_t*>(offsets->data());
  const std::uint8_t* bytes = nullptr;
  std::int32_t start = 0;
  if (array.type_id() == arrow::Type::FIXED_SIZE_BINARY) {
    const auto& fixed = static_cast<const arrow::FixedSizeBinaryArray&>(array);
    for (std::size_t i = 0; i <= rows; ++i) to[i] = static_cast<std::int32_t>(i) * fixed.byte_width();
    bytes = fixed.raw_values();
  } else {
    const auto& binary = static_cast<const arrow::BinaryArray&>(array);
    start = binary.value_offset(0);
    for (std::size_t i = 0; i <= rows; ++i) to[i] = binary.value_offset(static_cast<std::int64_t>(i)) - start;
    bytes = binary.value_data() ? binary.value_data()->data() : nullptr;
  }
  auto data = std::make_shared<Buffer>(static_cast<std::size_t>(to[rows]));
  if (data->size() > 0) std::memcpy(data->data(), bytes + start, data->size());
  return std::make_shared<Column>(type, rows, std::move(validity), std::move(data), std::move(offsets));
}

bool can_read(const Type& file, const Type& asked) {
  if (asked.is_nested()) {
    if (file.id != asked.id) return false;
    if (asked.id != TypeId::kRow) return std::ranges::equal(file.children(), asked.children(), [](const Type& a, const Type& b) { return can_read(a, b); });
    for (std::size_t i = 0; i < asked.children().size(); ++i) {
      const auto at = std::ranges::find(file.field_names(), asked.field_names()[i]) - file.field_names().begin();
      if (static_cast<std::size_t>(at) < file.children().size() && !can_read(file.children()[static_cast<std::size_t>(at)], asked.children()[i])) return false;
    }
    return true;
  }
  if (file.id == asked.id) return asked.id != TypeId::kDecimal || (file.scale == asked.scale && file.precision <= asked.precision);
  if (file.is_integer() && asked.is_integer()) return true;  // narrowing is checked value by value
  return file.id == TypeId::kFloat && asked.id == TypeId::kDouble;
}

// Null buffer when a value does not fit.
BufferPtr fixed_values(const arrow::Array& array, const Type& type) {
  bool fitting = true;
  BufferPtr data;
  switch (type.id) {
    case TypeId::kBoolean: return booleans(array);
    case TypeId::kTinyInt: data = integers<std::int8_t>(array, fitting); break;
    case TypeId::kSmallInt: data = integers<std::int16_t>(array, fitting); break;
    case TypeId::kInteger: data = integers<std::int32_t>(array, fitting); break;
    case TypeId::kBigInt: data = array.type_id() == arrow::Type::INT64 ? copy_values<std::int64_t>(array) : integers<std::int64_t>(array, fitting); break;
    case TypeId::kFloat: return copy_values<float>(array);
    case TypeId::kDouble:
      return array.type_id() == arrow::Type::DOUBLE ? copy_values<double>(array) : convert_values<double, float>(array, [](float v) { return double{v}; });
    case TypeId::kDecimal: return decimals(array);
    case TypeId::kDate: return copy_values<std::int32_t>(array);
    case TypeId::kTime:
      if (array.type_id() == arrow::Type::TIME32) {
        const std::int64_t unit = static_cast<const arrow::TimeType&>(*array.type()).unit() == arrow::TimeUnit::SECOND ? 1'000'000 : 1'000;
        return convert_values<std::int64_t, std::int32_t>(array, [&](std::int32_t v) { return v * unit; });
      }
      return microseconds(array, static_cast<const arrow::TimeType&>(*array.type()).unit());
    default: return microseconds(array, static_cast<const arrow::TimestampType&>(*array.type()).unit());
  }
  return fitting ? data : nullptr;
}

ColumnPtr all_null(const Type& type, std::size_t rows) {
  ColumnBuilder builder(type, rows);
  for (std::size_t i = 0; i < rows; ++i) builder.append_null();
  return builder.finish();
}

ColumnPtr nested_column(const arrow::Array& array, const Type& type);

// Null when a value does not fit.
ColumnPtr column_of(const arrow::Array& array, const Type& type) {
  if (type.is_nested()) return nested_column(array, type);
  BufferPtr validity = copy_validity(array);
  if (type.is_variable()) return variable_column(array, type, std::move(validity));
  BufferPtr data = fixed_values(array, type);
  if (!data) return nullptr;
  return std::make_shared<Column>(type, static_cast<std::size_t>(array.length()), std::move(validity), std::move(data));
}

ColumnPtr row_column(const arrow::StructArray& array, const Type& type) {
  const auto rows = static_cast<std::size_t>(array.length());
  std::vector<ColumnPtr> fields;
  for (std::size_t i = 0; i < type.children().size(); ++i) {
    const auto child = array.GetFieldByName(type.field_names()[i]);
    fields.push_back(child ? column_of(*child, type.children()[i]) : all_null(type.children()[i], rows));
    if (!fields.back()) return nullptr;
  }
  ColumnBuilder out(type, rows);
  nested::Items items(fields.size());
  std::string bytes;
  for (std::size_t r = 0; r < rows; ++r) {
    if (array.IsNull(static_cast<std::int64_t>(r))) {
      out.append_null();
      continue;
    }
    std::ranges::transform(fields, items.begin(), [&](const ColumnPtr& c) { return nested::item_at(*c, r); });
    bytes.clear();
    nested::write_row(type, items, bytes);
    out.append_text(bytes);
  }
  return out.finish();
}

/// An ARRAY, or (a list of keys and values) a MAP.
ColumnPtr nested_column(const arrow::Array& array, const Type& type) {
  if (type.id == TypeId::kRow) return row_column(static_cast<const arrow::StructArray&>(array), type);
  const auto rows = static_cast<std::size_t>(array.length());
  if (rows == 0) return all_null(type, 0);   // its offsets may be missing
  const auto& list = static_cast<const arrow::ListArray&>(array);   // a MapArray is one, too
  const std::int32_t first = list.value_offset(0);
  const auto part = [&](const std::shared_ptr<arrow::Array>& all, std::size_t child) {
    return column_of(*all->Slice(first, list.value_offset(list.length()) - first), type.children()[child]);
  };
  const bool map = type.id == TypeId::kMap;
  const ColumnPtr keys = part(map ? static_cast<const arrow::MapArray&>(array).keys() : list.values(), 0);
  const ColumnPtr values = map ? part(static_cast<const arrow::MapArray&>(array).items(), 1) : nullptr;
  if (!keys || (map && !values)) return nullptr;
  ColumnBuilder out(type, rows);
  nested::Items of_keys, of_values;
  std::string bytes;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto row = static_cast<std::int64_t>(r);
    if (array.IsNull(row)) {
      out.append_null();
      continue;
    }
    of_keys.clear();
    of_values.clear();
    for (std::int32_t i = list.value_offset(row) - first; i < list.value_offset(row + 1) - first; ++i) {
      of_keys.push_back(nested::item_at(*keys, static_cast<std::size_t>(i)));
      if (map) of_values.push_back(nested::item_at(*values, static_cast<std::size_t>(i)));
    }
    bytes.clear();
    if (map) nested::write_map(type.children()[0], type.children()[1], of_keys, of_values, bytes);
    else nested::write_array(type.children()[0], of_keys, bytes);
    out.append_text(bytes);
  }
  return out.finish();
}

class ArrowReader final : public ParquetReader {
 public:
  static Result<std::unique_ptr<ParquetReader>> open(std::string_view bytes, const std::string& name, const std::vector<ParquetField>& columns, std::int64_t first_row) {
    auto self = std::make_unique<ArrowReader>();
    self->name_ = name;
    self->asked_ = columns;
    try {
      SUPYO_TRY(self->start(bytes, first_row));
    } catch (const std::exception& e) {
      return fail(ErrorCode::kDamaged, fmt::format("reading {}: {}", name, e.what()));
    }
    return self;
  }

  std::int64_t rows() const override { return rows_; }
  const std::vector<ParquetField>& fields() const override { return fields_; }

  Result<BatchPtr> next() override {
    try {
      return next_batch();
    } catch (const std::exception& e) {
      return fail(ErrorCode::kDamaged, fmt::format("reading {}: {}", name_, e.what()));
    }
  }

 private:
  Status start(std::string_view bytes, std::int64_t first_row) {
    auto input = std::make_shared<arrow::io::BufferReader>(std::make_shared<arrow::Buffer>(bytes));
    parquet::ArrowReaderProperties properties;
    properties.set_batch_size(Batch::kMaxRows);
    properties.set_use_threads(false);
    properties.set_pre_buffer(false);
    properties.set_coerce_int96_timestamp_unit(arrow::TimeUnit::MICRO);
    parquet::arrow::FileReaderBuilder builder;
    SUPYO_TRY(check(builder.Open(input)));
    auto made = builder.properties(properties)->Build();
    SUPYO_TRY(check(made.status()));
    reader_ = *std::move(made);
    SUPYO_TRY(find_columns());
    return open_groups(first_row);
  }

  Status find_columns() {
    const auto file = reader_->parquet_reader()->metadata();
    const parquet::SchemaDescriptor& descriptor = *file->schema();
    std::shared_ptr<arrow::Schema> schema;
    SUPYO_TRY(check(parquet::arrow::FromParquetSchema(&descriptor, parquet::default_arrow_reader_properties(), nullptr, &schema)));
    rows_ = file->num_rows();
    std::vector<int> root_of;
    bool any_id = false;
    for (int i = 0; i < descriptor.num_columns(); ++i) {
      const parquet::schema::Node* node = descriptor.GetColumnRoot(i);
      if (i > 0 && node == descriptor.GetColumnRoot(i - 1)) {
        leaves_.back().push_back(i);
        continue;
      }
      leaves_.push_back({i});
      const auto field = schema->GetFieldByName(node->name());
      const auto type = field ? sql_type(*field) : std::nullopt;
      if (node->field_id() >= 0) any_id = true;
      if (!type) continue;
      fields_.push_back({node->name(), *type, node->field_id() >= 0 ? node->field_id() : ParquetField::kNoFieldId});
      root_of.push_back(static_cast<int>(leaves_.size()) - 1);
    }
    for (const ParquetField& asked : asked_) {
      const auto found = std::find_if(fields_.begin(), fields_.end(), [&](const ParquetField& f) {
        return any_id && asked.field_id != ParquetField::kNoFieldId ? f.field_id == asked.field_id : f.name == asked.name;
      });
      if (found == fields_.end()) {
        place_.push_back(-1);
        continue;
      }
      if (!can_read(found->type, asked.type))
        return fail(ErrorCode::kTypeMismatch, fmt::format("{}: column `{}` is {} in the file and {} in the table", name_, asked.name,
                                                          found->type.to_string(), asked.type.to_string()), "declare the column as it is in the file");
      place_.push_back(root_of[static_cast<std::size_t>(found - fields_.begin())]);
    }
    return ok();
  }

  Status open_groups(std::int64_t first_row) {
    const auto file = reader_->parquet_reader()->metadata();
    std::vector<int> groups;
    std::int64_t before = 0;
    for (int g = 0; g < file->num_row_groups(); ++g) {
      const std::int64_t n = file->RowGroup(g)->num_rows();
      if (before + n > first_row) {
        if (groups.empty()) skip_ = first_row - before;
        groups.push_back(g);
        left_ += n;
      }
      before += n;
    }
    left_ -= skip_;
    std::vector<int> roots, leaves;
    for (const int root : place_)
      if (root >= 0) roots.push_back(root);
    std::sort(roots.begin(), roots.end());
    roots.erase(std::unique(roots.begin(), roots.end()), roots.end());
    for (int& root : place_)
      if (root >= 0) root = static_cast<int>(std::lower_bound(roots.begin(), roots.end(), root) - roots.begin());
    for (const int root : roots) leaves.insert(leaves.end(), leaves_[static_cast<std::size_t>(root)].begin(), leaves_[static_cast<std::size_t>(root)].end());
    if (leaves.empty() || groups.empty()) return ok();  // rows without values: only their number counts
    auto made = reader_->GetRecordBatchReader(groups, leaves);
    SUPYO_TRY(check(made.status()));
    batches_ = *std::move(made);
    return ok();
  }

  Result<BatchPtr> next_batch() {
    if (!batches_) {
      const auto rows = static_cast<std::size_t>(std::min<std::int64_t>(left_, Batch::kMaxRows));
      if (rows == 0) return BatchPtr{};
      left_ -= static_cast<std::int64_t>(rows);
      return make_batch(nullptr, rows);
    }
    while (true) {
      std::shared_ptr<arrow::RecordBatch> read;
      SUPYO_TRY(check(batches_->ReadNext(&read)));
      if (!read) return BatchPtr{};
      if (skip_ >= read->num_rows()) {
        skip_ -= read->num_rows();
        continue;
      }
      if (skip_ > 0) read = read->Slice(std::exchange(skip_, 0));
      return make_batch(read.get(), static_cast<std::size_t>(read->num_rows()));
    }
  }

  Result<BatchPtr> make_batch(const arrow::RecordBatch* read, std::size_t rows) {
    auto batch = std::make_shared<Batch>();
    batch->rows = rows;
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      const Type& type = asked_[i].type;
      const bool absent = place_[i] < 0;
      if (!type.nullable && (absent || read->column(place_[i])->null_count() > 0))
        return fail(ErrorCode::kNullInNotNull, fmt::format("{}: column `{}` is NOT NULL and the file has {}", name_, asked_[i].name, absent ? "no such column" : "nulls in it"));
      if (absent) {
        batch->columns.push_back(all_null(type, rows));
        continue;
      }
      const arrow::Array& array = *read->column(place_[i]);
      ColumnPtr column = column_of(array, type);
      if (!column) return fail(ErrorCode::kValueOutOfRange, fmt::format("{}: a value of column `{}` does not fit {}", name_, asked_[i].name, type.to_string()));
      batch->columns.push_back(std::move(column));
    }
    return batch;
  }

  Status check(const arrow::Status& status) const {
    if (status.ok()) return ok();
    return fail(from_arrow(status, ErrorCode::kDamaged, "reading " + name_));
  }

  std::string name_;
  std::vector<ParquetField> asked_;
  std::vector<ParquetField> fields_;
  std::vector<std::vector<int>> leaves_;   // per column of the file: one, of nested columns more
  std::vector<int> place_;   // per column asked for: its position in the batches read, -1 when the file has none
  std::int64_t rows_ = 0;
  std::int64_t left_ = 0;
  std::int64_t skip_ = 0;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
};

}  // namespace

Result<std::unique_ptr<ParquetReader>> open_arrow_reader(std::string_view bytes, const std::string& name, const std::vector<ParquetField>& columns, std::int64_t first_row) {
  return ArrowReader::open(bytes, name, columns, first_row);
}

}  // namespace supyo::formats
