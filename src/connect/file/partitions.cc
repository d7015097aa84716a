#include "connect/file/partitions.h"

#include <fmt/format.h>

#include <algorithm>

#include "connect/file/file.h"
#include "core/base/percent.h"
#include "data/formats/cell.h"

namespace supyo::connect {
namespace {

bool is_escaped(char c) {
  constexpr std::string_view kSpecial = "\"#%'*/:=?\\{[]^\x7f";
  return static_cast<unsigned char>(c) < 0x20 || kSpecial.find(c) != std::string_view::npos;
}

void escape(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (is_escaped(c)) append_percent(c, out);
    else out.push_back(c);
  }
}

bool makes_folder(const Type& type) { return type.id != TypeId::kBytes && type.id != TypeId::kNull && type.id != TypeId::kFloat && type.id != TypeId::kDouble; }

std::optional<TimeUs> time_of(std::string_view text) {
  if (const auto whole = parse_timestamp(text); whole) return *whole;
  if (const auto day = parse_date(text); day) return *day * kDay;
  return std::nullopt;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> folder_values(std::string_view folder) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!folder.empty()) {
    const std::size_t end = std::min(folder.find('/'), folder.size());
    const std::string_view part = folder.substr(0, end);
    if (const std::size_t equals = part.find('='); equals != std::string_view::npos) out.emplace_back(percent_decoded(part.substr(0, equals)), percent_decoded(part.substr(equals + 1)));
    folder.remove_prefix(std::min(end + 1, folder.size()));
  }
  return out;
}

Result<PartitionLayout> PartitionLayout::of(const catalog::TableDefinition& table, const Schema& schema) {
  PartitionLayout layout;
  layout.schema = schema;
  layout.default_name = catalog::option_text(table.options, file_descriptor(), "partition.default-name");
  for (const std::string& key : table.partition_keys) {
    const auto at = schema.find(key);
    if (!at) return fail(ErrorCode::kUnknownColumn, fmt::format("PARTITIONED BY: table '{}' stores no column `{}`", table.path.name, key));
    if (!makes_folder(schema[*at].type))
      return fail(ErrorCode::kUnsupported, fmt::format("PARTITIONED BY a column of type {}", schema[*at].type.to_string()), "use text, a number without fraction, a date or a time");
    layout.keys.push_back(*at);
  }
  for (std::size_t i = 0; i < schema.size(); ++i)
    if (std::ranges::find(layout.keys, i) == layout.keys.end()) layout.data.push_back(i);
  if (layout.data.empty()) return fail(ErrorCode::kUnsupported, fmt::format("table '{}' of partition columns only", table.path.name), "leave a column for the files");
  return layout;
}

Schema PartitionLayout::data_schema() const {
  std::vector<Field> fields;
  for (const std::size_t i : data) fields.push_back(schema[i]);
  return Schema(std::move(fields));
}

std::string PartitionLayout::folder(const Batch& batch, std::size_t row) const {
  std::string path, text;
  for (const std::size_t k : keys) {
    if (!path.empty()) path.push_back('/');
    escape(schema[k].name, path);
    path.push_back('=');
    text.clear();
    if (!batch.columns[k]->is_null(row)) append_text_of(*batch.columns[k], row, text);
    if (text.empty()) path += default_name;
    else escape(text, path);
  }
  return path;
}

Result<std::vector<Value>> PartitionLayout::values(std::string_view path) const {
  const auto named = folder_values(path.substr(0, path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/')));
  std::vector<Value> out;
  for (const std::size_t k : keys) {
    const Field& field = schema[k];
    const auto at = std::ranges::find(named, field.name, &std::pair<std::string, std::string>::first);
    if (at == named.end())
      return fail(ErrorCode::kMalformedRecord, fmt::format("{} lies in no folder {}=...", path, field.name), "the table is PARTITIONED BY it: move the file, or take the column out");
    formats::Cell cell;
    if (at->second != default_name) {
      cell.null = false;
      if (const char* wrong = formats::cell_from_text(at->second, field.type, formats::TimestampStyle::kSql, cell); wrong != nullptr)
        return fail(ErrorCode::kMalformedRecord, fmt::format("folder {}={} of {}: {}", field.name, at->second, path, wrong));
    }
    ColumnBuilder column(field.type.as_nullable());
    formats::append_cell(column, cell);
    out.push_back(value_at(*column.finish(), 0));
    out.back().type = field.type;
  }
  return out;
}

Result<std::optional<PartitionCommit>> PartitionCommit::of(const catalog::TableDefinition& table, const PartitionLayout& layout, const catalog::ConnectorDescriptor& descriptor) {
  const catalog::Options& o = table.options;
  if (!layout.partitioned()) {
    for (const auto& [key, value] : o)
      if (key.starts_with("sink.partition-commit.") || key.starts_with("partition.time-extractor."))
        return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}' has the option '{}' and no partitions", table.path.name, key), "add PARTITIONED BY (...), or leave the option out");
    return std::optional<PartitionCommit>();
  }
  if (!o.contains("sink.partition-commit.policy.kind")) return std::optional<PartitionCommit>();
  PartitionCommit c;
  c.by_partition_time = catalog::option_text(o, descriptor, "sink.partition-commit.trigger") == "partition-time";
  c.delay_us = catalog::option_duration(o, descriptor, "sink.partition-commit.delay");
  SUPYO_ASSIGN(c.zone, Zone::parse(catalog::option_text(o, descriptor, "sink.partition-commit.watermark-time-zone")));
  c.pattern = catalog::option_text(o, descriptor, "partition.time-extractor.timestamp-pattern");
  c.success_file = catalog::option_text(o, descriptor, "sink.partition-commit.success-file.name");
  if (c.success_file.empty() || c.success_file.find('/') != std::string::npos)
    return fail(ErrorCode::kBadOptionValue, fmt::format("'sink.partition-commit.success-file.name' = '{}' is not a file name", c.success_file));
  return std::optional<PartitionCommit>(std::move(c));
}

TimeUs PartitionCommit::due_watermark(std::string_view folder) const {
  auto values = folder_values(folder);
  std::string text = pattern.empty() && !values.empty() ? values.front().second : pattern;
  // Longer names first: $day is not $d and "ay".
  std::ranges::sort(values, [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  for (const auto& [name, value] : values)
    for (std::size_t at = text.find("$" + name); at != std::string::npos; at = text.find("$" + name, at + value.size())) text.replace(at, name.size() + 1, value);
  const auto time = time_of(text);
  return time ? zone.to_utc(*time) + delay_us : kTimeMax - 1;
}

}  // namespace supyo::connect
