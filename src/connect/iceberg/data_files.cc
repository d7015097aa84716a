#include "connect/iceberg/data_files.h"

#include "core/base/bytes.h"
#include "data/iceberg/values.h"

namespace supyo::connect {
namespace {

constexpr std::uint8_t kHandleVersion = 1;

void write_longs(ByteWriter& out, const std::vector<std::pair<std::int32_t, std::int64_t>>& map) {
  out.varint(map.size());
  for (const auto& [key, value] : map) {
    out.varint(static_cast<std::uint64_t>(key));
    out.varint(static_cast<std::uint64_t>(value));
  }
}

void write_texts(ByteWriter& out, const std::vector<std::pair<std::int32_t, std::string>>& map) {
  out.varint(map.size());
  for (const auto& [key, value] : map) {
    out.varint(static_cast<std::uint64_t>(key));
    out.text(value);
  }
}

std::vector<std::pair<std::int32_t, std::int64_t>> read_longs(ByteReader& in) {
  std::vector<std::pair<std::int32_t, std::int64_t>> map;
  for (std::uint64_t n = in.varint(); n > 0 && !in.failed(); --n) {
    const auto key = static_cast<std::int32_t>(in.varint());
    map.emplace_back(key, static_cast<std::int64_t>(in.varint()));
  }
  return map;
}

std::vector<std::pair<std::int32_t, std::string>> read_texts(ByteReader& in) {
  std::vector<std::pair<std::int32_t, std::string>> map;
  for (std::uint64_t n = in.varint(); n > 0 && !in.failed(); --n) {
    const auto key = static_cast<std::int32_t>(in.varint());
    map.emplace_back(key, std::string(in.text()));
  }
  return map;
}

Error damaged() { return {ErrorCode::kDamaged, "an Iceberg sink's commit handle is unreadable"}; }

}  // namespace

iceberg::DataFile data_file_of(std::string path, std::vector<Value> partition, const formats::ParquetFileMetrics& metrics) {
  iceberg::DataFile f;
  f.path = std::move(path);
  f.partition = std::move(partition);
  f.records = metrics.rows;
  f.bytes = metrics.file_bytes;
  f.split_offsets = metrics.split_offsets;
  f.sort_order_id = 0;
  for (const formats::ParquetColumnMetrics& c : metrics.columns) {
    f.column_sizes.emplace_back(c.field_id, c.compressed_bytes);
    f.value_counts.emplace_back(c.field_id, c.values);
    f.null_counts.emplace_back(c.field_id, c.nulls);
    if (c.lower)
      if (auto bytes = iceberg::lower_bound_bytes(*c.lower)) f.lower_bounds.emplace_back(c.field_id, *std::move(bytes));
    if (c.upper)
      if (auto bytes = iceberg::upper_bound_bytes(*c.upper)) f.upper_bounds.emplace_back(c.field_id, *std::move(bytes));
  }
  return f;
}

std::string encode_handle(std::int32_t spec_id, const std::vector<iceberg::DataFile>& files) {
  std::string handle;
  if (files.empty()) return handle;
  ByteWriter out(handle);
  out.u8(kHandleVersion);
  out.varint(static_cast<std::uint64_t>(spec_id));
  out.varint(files.size());
  for (const iceberg::DataFile& f : files) {
    out.text(f.path);
    out.varint(f.partition.size());
    for (const Value& v : f.partition) {
      out.u8(v.is_null() ? 0 : 1);
      if (!v.is_null()) out.text(iceberg::single_value_bytes(v));
    }
    out.varint(static_cast<std::uint64_t>(f.records));
    out.varint(static_cast<std::uint64_t>(f.bytes));
    write_longs(out, f.column_sizes);
    write_longs(out, f.value_counts);
    write_longs(out, f.null_counts);
    write_texts(out, f.lower_bounds);
    write_texts(out, f.upper_bounds);
    out.varint(f.split_offsets.size());
    for (const std::int64_t offset : f.split_offsets) out.varint(static_cast<std::uint64_t>(offset));
  }
  return handle;
}

Result<iceberg::NewFiles> decode_handle(std::string_view handle, const iceberg::TableMetadata& table) {
  iceberg::NewFiles out;
  ByteReader in(handle);
  if (in.u8() != kHandleVersion) return fail(damaged());
  out.spec_id = static_cast<std::int32_t>(in.varint());
  const iceberg::PartitionSpec* spec = table.find_spec(out.spec_id);
  if (spec == nullptr) return fail(ErrorCode::kUnsupported, fmt::format("table {} has no partition spec {} any more", table.location, out.spec_id));
  for (std::uint64_t n = in.varint(); n > 0 && !in.failed(); --n) {
    iceberg::DataFile f;
    f.path = std::string(in.text());
    if (in.varint() != spec->fields.size()) return fail(damaged());
    for (const iceberg::PartitionField& field : spec->fields) {
      SUPYO_ASSIGN(const Type type, iceberg::partition_type(field, table.schema()));
      if (in.u8() == 0) {
        f.partition.push_back({type, {}});
        continue;
      }
      auto value = iceberg::value_from_bytes(type, in.text());
      if (!value) return fail(damaged());
      f.partition.push_back(*std::move(value));
    }
    f.records = static_cast<std::int64_t>(in.varint());
    f.bytes = static_cast<std::int64_t>(in.varint());
    f.column_sizes = read_longs(in);
    f.value_counts = read_longs(in);
    f.null_counts = read_longs(in);
    f.lower_bounds = read_texts(in);
    f.upper_bounds = read_texts(in);
    for (std::uint64_t k = in.varint(); k > 0 && !in.failed(); --k) f.split_offsets.push_back(static_cast<std::int64_t>(in.varint()));
    f.sort_order_id = 0;
    out.files.push_back(std::move(f));
  }
  if (in.failed() || !in.done()) return fail(damaged());
  return out;
}

}  // namespace supyo::connect
