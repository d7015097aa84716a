#include <algorithm>
#include <charconv>

#include "core/base/duration.h"
#include "sql/catalog/connector.h"
#include "sql/catalog/option_traits.h"
#include "sql/syntax/diagnostic.h"

namespace supyo::catalog {
namespace {

/// `*` stands for one or more characters: "fields.*.kind", "properties.*".
bool matches(std::string_view pattern, std::string_view key) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == key;
  if (!key.starts_with(pattern.substr(0, star))) return false;
  key.remove_prefix(star);
  const std::string_view rest = pattern.substr(star + 1);
  if (rest.empty()) return !key.empty();
  for (std::size_t i = 1; i < key.size(); ++i)
    if (matches(rest, key.substr(i))) return true;
  return false;
}

const OptionSpec* find_spec(std::span<const std::vector<OptionSpec>* const> lists, std::string_view key) {
  for (const auto* list : lists)
    for (const OptionSpec& spec : *list)
      if (matches(spec.key, key)) return &spec;
  return nullptr;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// "64mb", "1 gb", "512 kb", "100 bytes", "4096".
std::optional<std::int64_t> parse_bytes(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto value = parse_number<std::int64_t>(text.substr(0, digits));
  if (!value) return std::nullopt;
  std::string unit = lower(text.substr(digits));
  unit.erase(0, std::min(unit.find_first_not_of(' '), unit.size()));
  const std::pair<std::string_view, int> units[] = {{"", 0},         {"b", 0},          {"bytes", 0},      {"k", 10},         {"kb", 10},
                                                    {"kibibytes", 10}, {"m", 20},         {"mb", 20},        {"mebibytes", 20}, {"g", 30},
                                                    {"gb", 30},        {"gibibytes", 30}, {"t", 40},         {"tb", 40},        {"tebibytes", 40}};
  for (const auto& [name, shift] : units)
    if (unit == name && *value <= (INT64_MAX >> shift)) return *value << shift;
  return std::nullopt;
}

/// What `value` should have been, or empty when it is fine.
std::string expectation(const OptionSpec& spec, std::string_view value) {
  switch (spec.kind) {
    case OptionSpec::Kind::kText: return {};
    case OptionSpec::Kind::kInteger: return parse_number<std::int64_t>(value) ? "" : "a whole number";
    case OptionSpec::Kind::kDouble: return parse_number<double>(value) ? "" : "a number";
    case OptionSpec::Kind::kBoolean: {
      const std::string l = lower(value);
      return l == "true" || l == "false" ? "" : "true or false";
    }
    case OptionSpec::Kind::kDuration: return parse_duration(value) ? "" : "a duration such as '5s', '10 min' or '1h'";
    case OptionSpec::Kind::kBytes: return parse_bytes(value) ? "" : "a size such as '64mb'";
    case OptionSpec::Kind::kEnum:
      if (std::ranges::any_of(spec.allowed, [&](const std::string& a) { return lower(a) == lower(value); })) return {};
      return fmt::format("one of {}", fmt::join(spec.allowed, ", "));
  }
  return {};
}

std::optional<OptionProblem> check_one(std::string_view owner, const std::string& key, const std::string& value,
                                       std::span<const std::vector<OptionSpec>* const> lists) {
  const OptionSpec* spec = find_spec(lists, key);
  if (spec == nullptr) {
    std::vector<std::string_view> names;
    for (const auto* list : lists)
      for (const OptionSpec& s : *list) names.push_back(s.key);
    const std::string_view nearest = syntax::nearest_word(key, names);
    return OptionProblem{key, false, Error{ErrorCode::kUnknownOption, fmt::format("{} has no option '{}'", owner, key),
                                           nearest.empty() ? fmt::format("it has: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", nearest)}};
  }
  if (const std::string wanted = expectation(*spec, value); !wanted.empty())
    return OptionProblem{key, true, Error{ErrorCode::kBadOptionValue, fmt::format("option '{}' is '{}'", key, value), "it takes " + wanted}};
  return std::nullopt;
}

std::optional<OptionProblem> problem_of(const Options& options, const ConnectorDescriptor& connector, const std::vector<OptionSpec>& format_options,
                                        bool complete) {
  const std::vector<OptionSpec>* const lists[] = {&connector.options, &format_options, &common_table_options()};
  const std::string owner = fmt::format("connector '{}'", connector.name);
  for (const auto& [key, value] : options)
    if (auto problem = check_one(owner, key, value, lists)) return problem;
  if (!complete) return std::nullopt;
  for (const auto* list : lists)
    for (const OptionSpec& spec : *list)
      if (spec.required && !options.contains(spec.key))
        return OptionProblem{{}, false, Error{ErrorCode::kMissingOption, fmt::format("{} needs the option '{}'", owner, spec.key), spec.help}};
  return std::nullopt;
}

const OptionSpec* spec_of(const ConnectorDescriptor& c, std::string_view key) {
  const std::vector<OptionSpec>* const lists[] = {&c.options, &common_table_options()};
  return find_spec(lists, key);
}

std::vector<std::string_view> names_of(const auto& map) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

/// The format that the options name (absent = none), or the problem with it.
std::optional<OptionProblem> find_format(const Options& options, const ConnectorRegistry& registry, const ConnectorDescriptor& connector,
                                         bool complete, const std::vector<OptionSpec>** out) {
  static const std::vector<OptionSpec> kNone;
  *out = &kNone;
  if (!connector.needs_format) {
    if (!options.contains("format")) return std::nullopt;
    return OptionProblem{"format", false, Error{ErrorCode::kUnknownOption, fmt::format("connector '{}' takes no 'format'", connector.name), "leave it out"}};
  }
  const auto it = options.contains("format") ? options.find("format") : options.find("value.format");
  const std::string known = fmt::format("formats: {}", fmt::join(names_of(registry.formats()), ", "));
  if (it == options.end()) {
    if (!complete) return std::nullopt;
    return OptionProblem{{}, false, Error{ErrorCode::kMissingOption, fmt::format("connector '{}' needs the option 'format'", connector.name), known}};
  }
  const auto format = registry.formats().find(it->second);
  if (format == registry.formats().end()) {
    const std::string_view nearest = syntax::nearest_word(it->second, names_of(registry.formats()));
    return OptionProblem{it->first, true, Error{ErrorCode::kBadOptionValue, fmt::format("format '{}' is not known", it->second),
                                                nearest.empty() ? known : fmt::format("did you mean '{}'? {}", nearest, known)}};
  }
  if (connector.produces == ChangelogMode::kUpsert && registry.is_changelog(options))
    return OptionProblem{it->first, true, Error{ErrorCode::kUnsupported, fmt::format("format '{}' in '{}' is not supported", it->second, connector.name), "use the connector 'kafka': the records say themselves what is deleted"}};
  *out = &format->second;
  return std::nullopt;
}

}  // namespace

const std::vector<OptionSpec>& common_table_options() {
  using Kind = OptionSpec::Kind;
  static const std::vector<OptionSpec> kCommon = {
      {"connector", Kind::kText, false, "", {}, "which system holds the table"},
      {"format", Kind::kText, false, "", {}, "how records are written: json, debezium-json, csv, raw; avro, avro-confluent, debezium-avro-confluent: in topics; parquet: whole files, of filesystem; columnar: rows in columns, in the embedded log"},
      {"scan.watermark.idle-timeout", Kind::kDuration, false, "", {}, "a source partition without rows for this long no longer holds the watermark back"},
      {"scan.watermark.alignment.group", Kind::kText, false, "", {}, "accepted: a source that runs ahead of others waits in state, the rows are the same"},
      {"scan.watermark.alignment.max-drift", Kind::kDuration, false, "", {}, "accepted, as the group"},
      {"scan.watermark.alignment.update-interval", Kind::kDuration, false, "1 s", {}, "accepted, as the group"},
      {"scan.watermark.emit.strategy", Kind::kEnum, false, "on-periodic", {"on-periodic", "on-event"}, "when watermarks are sent; the rows are the same"},
  };
  return kCommon;
}

std::optional<OptionProblem> find_option_problem(const Options& options, const ConnectorRegistry& registry, bool complete) {
  const auto name = options.find("connector");
  const auto names = names_of(registry.all());
  if (name == options.end()) {
    if (!complete) return std::nullopt;
    return OptionProblem{{}, false, Error{ErrorCode::kMissingOption, "the table has no option 'connector'", fmt::format("connectors: {}", fmt::join(names, ", "))}};
  }
  const ConnectorDescriptor* connector = registry.find(name->second);
  if (connector == nullptr) {
    const std::string_view nearest = syntax::nearest_word(name->second, names);
    const std::string known = fmt::format("connectors: {}", fmt::join(names, ", "));
    return OptionProblem{"connector", true, Error{ErrorCode::kUnknownConnector, fmt::format("there is no connector '{}'", name->second),
                                                  nearest.empty() ? known : fmt::format("did you mean '{}'? {}", nearest, known)}};
  }
  const std::vector<OptionSpec>* format = nullptr;
  if (auto problem = find_format(options, registry, *connector, complete, &format)) return problem;
  return problem_of(options, *connector, *format, complete);
}

Status check_options(const Options& options, const ConnectorDescriptor& connector, const std::vector<OptionSpec>& format_options) {
  if (auto problem = problem_of(options, connector, format_options, true)) return fail(std::move(problem->error));
  return ok();
}

bool is_secret(std::string_view key) { return key == "password" || key.ends_with(".password") || key.ends_with("sasl.jaas.config"); }

bool is_asked_by_key(const TableDefinition& table) { return table.connector() == "jdbc"; }

std::string option_text(const Options& o, const ConnectorDescriptor& c, std::string_view key) {
  if (const auto it = o.find(std::string(key)); it != o.end()) return it->second;
  const OptionSpec* spec = spec_of(c, key);
  return spec == nullptr ? std::string() : spec->default_value;
}

std::int64_t option_integer(const Options& o, const ConnectorDescriptor& c, std::string_view key) {
  const std::string text = option_text(o, c, key);
  const OptionSpec* spec = spec_of(c, key);
  if (spec != nullptr && spec->kind == OptionSpec::Kind::kBytes) return parse_bytes(text).value_or(0);
  return parse_number<std::int64_t>(text).value_or(0);
}

bool option_boolean(const Options& o, const ConnectorDescriptor& c, std::string_view key) { return lower(option_text(o, c, key)) == "true"; }

DurationUs option_duration(const Options& o, const ConnectorDescriptor& c, std::string_view key) {
  return parse_duration(option_text(o, c, key)).value_or(0);
}

}  // namespace supyo::catalog
