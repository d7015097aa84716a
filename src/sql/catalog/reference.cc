#include <fmt/format.h>

#include "sql/catalog/connector.h"

namespace supyo::catalog {
namespace {

std::string values_of(const OptionSpec& o) {
  switch (o.kind) {
    case OptionSpec::Kind::kText: return "text";
    case OptionSpec::Kind::kInteger: return "whole number";
    case OptionSpec::Kind::kDouble: return "number";
    case OptionSpec::Kind::kBoolean: return "true or false";
    case OptionSpec::Kind::kDuration: return "duration";
    case OptionSpec::Kind::kBytes: return "size";
    case OptionSpec::Kind::kEnum: break;
  }
  std::string all;
  for (const std::string& v : o.allowed) all += fmt::format("{}`{}`", all.empty() ? "" : ", ", v);
  return all;
}

std::string in_a_cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

void append_options(const std::vector<OptionSpec>& options, std::string& out) {
  if (options.empty()) return;
  out += "| option | default | values | meaning |\n|---|---|---|---|\n";
  for (const OptionSpec& o : options) {
    const std::string standard = o.required ? "required" : o.default_value.empty() ? "" : fmt::format("`{}`", o.default_value);
    out += fmt::format("| `{}` | {} | {} | {} |\n", o.key, standard, values_of(o), in_a_cell(o.help));
  }
  out += "\n";
}

}  // namespace

std::string connector_reference(const ConnectorRegistry& registry) {
  std::string out =
      "# Connectors and formats\n\nOptions of `CREATE TABLE .. WITH ('option'='value')`, named as in Flink. Written by `supyo` itself from the declarations of `src/connect` and "
      "`src/data/formats`; the test `cli` checks that it is current.\n\n";
  for (const auto& [name, c] : registry.all()) {
    out += fmt::format("## `{}`\n\nWhat it is: {}.\n", name, c.help);
    std::string can = c.source ? "Read" : "";
    if (c.sink) can += fmt::format("{} ({}{})", c.source ? " and written" : "Written", delivery_guarantee_text(c.guarantee), c.accepts == ChangelogMode::kAppend ? "; rows are only added" : "");
    out += can + (c.needs_format ? "; takes a `format`.\n\n" : ".\n\n");
    append_options(c.options, out);
    if (c.metadata.empty()) continue;
    out += "Metadata columns: ";
    for (bool first = true; const auto& [column, type] : c.metadata) {
      out += fmt::format("{}`{}` {}", first ? "" : ", ", column, type.to_string());
      first = false;
    }
    out += ".\n\n";
  }
  out += "## Any table\n\n";
  append_options(common_table_options(), out);
  for (const auto& [name, options] : registry.formats()) {
    out += fmt::format("## Format `{}`\n\n", name);
    if (registry.is_changelog({{"format", name}})) out += "Each record says what is done to a row: a table of it gives and takes inserts, updates and deletes, whatever its connector. Of a `PRIMARY KEY` that it declares there is one row each at a time.\n\n";
    if (options.empty()) out += "No options.\n\n";
    append_options(options, out);
  }
  out.pop_back();
  return out;
}

}  // namespace supyo::catalog
