#include "sql/expr/registry.h"

#include <algorithm>
#include <map>
#include <set>

#include "sql/expr/aggregate_factory.h"
#include "sql/expr/registration.h"

namespace supyo::expr {

namespace {

std::string upper(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t keep = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, keep});
    }
  }
  return row[b.size()];
}

std::string type_list(std::span<const Type> types) {
  std::string out;
  for (const Type& t : types) {
    if (!out.empty()) out += ", ";
    out += t.id == TypeId::kNull ? "NULL" : t.as_nullable().to_string();
  }
  return out;
}

/// Casts that the overload needs: the fewest wins, so that ABS(INT) is not ABS(DOUBLE).
std::size_t casts_needed(std::span<const Type> given, const std::vector<Type>& wanted) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < given.size(); ++i) n += given[i].id != wanted[i].id;
  return n;
}

}  // namespace

struct FunctionRegistry::Impl {
  Registrar registrar;
  std::multimap<std::string, const Overload*, std::less<>> by_name;
  std::set<std::string, std::less<>> aliases;

  std::string nearest(std::string_view name) const {
    std::string best;
    std::size_t distance = std::max<std::size_t>(2, name.size() / 3) + 1;
    const auto look = [&](std::string_view candidate) {
      const std::size_t d = edit_distance(name, candidate);
      if (d < distance) {
        distance = d;
        best = candidate;
      }
    };
    for (const auto& [candidate, overload] : by_name) look(candidate);
    for (const std::string_view candidate : aggregate_names()) look(candidate);
    return best;
  }

  std::unexpected<Error> unknown(std::string_view name) const {
    // What Flink has and Supyo has not.
    constexpr std::pair<std::string_view, std::string_view> kRefused[] = {
        {"PARSE_JSON", "keep the JSON as text, and read it with JSON_VALUE and JSON_QUERY"},
        {"TRY_PARSE_JSON", "keep the JSON as text, and read it with JSON_VALUE and JSON_QUERY"}};
    for (const auto& [refused, hint] : kRefused)
      if (upper(name) == refused) return fail(ErrorCode::kUnsupported, fmt::format("the function {} is not supported", name), std::string(hint));
    const std::string near = nearest(name);
    return fail(ErrorCode::kUnknownFunction, fmt::format("no function {}", name),
                near.empty() ? "SHOW FUNCTIONS lists what there is" : fmt::format("did you mean {}?", near));
  }
};

FunctionRegistry::FunctionRegistry() : impl_(std::make_unique<Impl>()) {
  Registrar& r = impl_->registrar;
  register_arithmetic(r);
  register_comparison(r);
  register_logic(r);
  register_conditional(r);
  register_math(r);
  register_string(r);
  register_pattern(r);
  register_digest(r);
  register_charset(r);
  register_format(r);
  register_temporal(r);
  register_clock(r);
  register_random(r);
  register_nested(r);
  register_array(r);
  register_map(r);
  register_json(r);
  for (const Overload& o : r.overloads()) impl_->by_name.emplace(o.function.name, &o);
}

FunctionRegistry::~FunctionRegistry() = default;

bool FunctionRegistry::is_scalar(std::string_view name) const { return impl_->by_name.contains(upper(name)); }

bool FunctionRegistry::is_aggregate(std::string_view name) const {
  return std::ranges::find(aggregate_names(), upper(name)) != aggregate_names().end();
}

Status Aggregate::merge(std::byte*, std::string*, const std::byte*, std::string_view) const {
  return fail(ErrorCode::kUnsupported, fmt::format("{} over SESSION windows is not supported", name()), "compute it over TUMBLE or HOP windows");
}

Result<ResolvedCall> FunctionRegistry::resolve(std::string_view name, std::span<const Type> args) const {
  const std::string wanted = upper(name);
  const auto [from, to] = impl_->by_name.equal_range(wanted);
  if (from == to) return impl_->unknown(wanted);
  std::optional<ResolvedCall> best;
  std::size_t best_casts = SIZE_MAX;
  std::string signatures;
  for (auto it = from; it != to; ++it) {
    const Overload& o = *it->second;
    signatures += (signatures.empty() ? "" : "; ") + o.function.signature;
    std::optional<Typing> typing = o.bind(args);
    if (!typing) continue;
    const std::size_t casts = casts_needed(args, typing->args);
    if (casts >= best_casts) continue;
    best_casts = casts;
    best = ResolvedCall{&o.function, std::move(typing->args), typing->result};
  }
  if (best) return *std::move(best);
  return fail(ErrorCode::kTypeMismatch, fmt::format("{} does not take ({})", wanted, type_list(args)), "it is " + signatures);
}

Result<ResolvedAggregate> FunctionRegistry::resolve_aggregate(std::string_view name, std::span<const Type> args, bool distinct, bool retracting) const {
  const std::string wanted = upper(name);
  if (!is_aggregate(wanted)) return impl_->unknown(wanted);
  return make_aggregate(wanted, args, distinct, retracting);
}

bool FunctionRegistry::add_alias(std::string_view name, std::string_view function) {
  const std::string alias = upper(name);
  if (is_scalar(alias) || is_aggregate(alias)) return false;
  const auto [from, to] = impl_->by_name.equal_range(upper(function));
  std::vector<const Overload*> overloads;
  for (auto it = from; it != to; ++it) overloads.push_back(it->second);
  SUPYO_CHECK(!overloads.empty());
  for (const Overload* o : overloads) impl_->by_name.emplace(alias, o);
  impl_->aliases.insert(alias);
  return true;
}

bool FunctionRegistry::remove_alias(std::string_view name) {
  if (impl_->aliases.erase(upper(name)) == 0) return false;
  impl_->by_name.erase(upper(name));
  return true;
}

std::vector<const Function*> FunctionRegistry::functions() const {
  std::vector<const Function*> out;
  for (const auto& [name, overload] : impl_->by_name) out.push_back(&overload->function);
  return out;
}

std::vector<std::string> FunctionRegistry::user_names() const {
  return {impl_->aliases.begin(), impl_->aliases.end()};
}

std::vector<std::string> FunctionRegistry::names() const {
  std::vector<std::string> out;
  for (const auto& [name, overload] : impl_->by_name) out.push_back(name);
  for (const std::string_view name : aggregate_names()) out.emplace_back(name);
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace supyo::expr
