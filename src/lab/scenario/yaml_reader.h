#pragma once
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/duration.h"
#include "core/base/result.h"
#include "lab/scenario/declaration.h"
#include "lab/scenario/result.h"
#include "lab/scenario/scenario.h"

namespace supyo::scenario {

/// A field that is an expression: the unit that it must have, and what it is when the file does not say (null: it must).
struct DeclaredField {
  const char* name;
  Unit unit;
  const char* otherwise;
};

/// What the readers of scenario files share: complaints with line and column, and the parts that every kind of scenario has. May throw YAML::Exception
/// where a node is not what it should be: parsed() catches that, once.
class YamlReader {
 public:
  explicit YamlReader(std::string_view file) : file_(file) {}

 protected:
  std::string_view file() const { return file_; }
  std::unexpected<Error> complain(const YAML::Mark& m, std::string message, std::string hint = {}) const {
    Error e{ErrorCode::kBadConfigFile, fmt::format("{}: {}", file_, message), std::move(hint)};
    e.position = SourcePosition{m.line < 0 ? 1 : m.line + 1, m.column < 0 ? 1 : m.column + 1, 1};
    return std::unexpected<Error>(std::move(e));
  }
  std::unexpected<Error> complain(const YAML::Node& n, std::string message, std::string hint = {}) const { return complain(n.Mark(), std::move(message), std::move(hint)); }

  /// `body` reads the root of `text` laid over the one that it extends, and gives the Result that this returns.
  template <class Body>
  auto parsed(std::string_view text, const std::string* base_text, Body body) const -> decltype(body(YAML::Node())) {
    try {
      YAML::Node root = YAML::Load(std::string(text));
      if (base_text != nullptr) {
        const YAML::Node merged = merge(YAML::Load(*base_text), root);
        root.reset(merged);
      }
      return body(root);
    } catch (const YAML::ParserException& e) {
      return complain(e.mark, "not YAML: " + e.msg);
    } catch (const YAML::Exception& e) {
      return complain(e.mark, e.what());
    }
  }

  static YAML::Node merge(const YAML::Node& base, const YAML::Node& over) {
    YAML::Node out = YAML::Clone(base);
    for (const auto& e : over) {
      const auto key = e.first.as<std::string>();
      if (key == "knobs" && out["knobs"] && e.second.IsMap()) {
        for (const auto& k : e.second) out["knobs"][k.first.as<std::string>()] = k.second;
      } else if (key == "real" && out["real"] && out["real"].IsMap() && e.second.IsMap()) {
        const YAML::Node inner = merge(out["real"], e.second);
        out["real"] = inner;
      } else {
        out[key] = e.second;
      }
    }
    return out;
  }

  /// `scenario` of the file with its part `real` over the rest.
  template <class F>
  std::invoke_result_t<F, const YAML::Node&> really(const YAML::Node& root, F scenario) const {
    if (!root["real"] || !root["real"].IsMap())
      return fail(ErrorCode::kUnsupported, fmt::format("{} says nothing of a run on a real cluster", file()), "without --on real it runs on the embedded log in virtual time; or give the file a part `real`: phases that a person can wait for");
    return scenario(merge(root, root["real"]));
  }

  Status allow(const YAML::Node& map, std::string_view where, std::initializer_list<std::string_view> keys) const {
    if (!map.IsMap()) return complain(map, fmt::format("{} must be a mapping", where));
    for (const auto& e : map) {
      const auto key = e.first.as<std::string>();
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) return complain(e.first, fmt::format("unknown field '{}' in {}", key, where), fmt::format("known fields: {}", fmt::join(keys, ", ")));
    }
    return ok();
  }
  Result<std::string> text(const YAML::Node& map, const char* key) const {
    const YAML::Node n = map[key];
    if (!n) return complain(map, fmt::format("'{}' is missing", key));
    if (!n.IsScalar()) return complain(n, fmt::format("'{}' must be a text", key));
    return n.Scalar();
  }
  Result<DurationUs> duration(const YAML::Node& n) const {
    if (!n.IsScalar()) return complain(n, "a duration is a number and a unit: 12m");
    auto d = parse_duration(n.Scalar());
    if (!d) return complain(n, d.error().message, d.error().hint);
    return *d;
  }
  Result<double> number(const YAML::Node& n, double low, double high) const {
    double v = 0;
    if (!n.IsScalar() || !YAML::convert<double>::decode(n, v) || !(v >= low && v <= high)) return complain(n, fmt::format("a number from {:g} to {:g} is needed here", low, high));
    return v;
  }
  Result<Expression> formula(const YAML::Node& n, std::string_view source) const {
    auto e = Expression::parse(source);
    if (!e) return complain(n, fmt::format("in the formula, column {}: {}", e.error().position->column, e.error().message), e.error().hint);
    return e;
  }

  Status knobs(const YAML::Node& root, std::map<std::string, Knob, std::less<>>& into) const {
    const YAML::Node list = root["knobs"];
    if (!list) return ok();
    if (!list.IsMap()) return complain(list, "knobs must be a mapping");
    for (const auto& e : list) {
      Knob k;
      YAML::Node value = e.second;
      if (value.IsMap()) {
        SUPYO_TRY(allow(value, "a knob", {"default", "values"}));
        if (!value["default"]) return complain(value, "a knob needs 'default'");
        if (value["values"]) for (const YAML::Node& v : value["values"]) k.values.push_back(v.Scalar());
        k.text = value["default"].Scalar();
      } else {
        k.text = value.Scalar();
      }
      SUPYO_ASSIGN(const Expression x, formula(e.second, k.text));
      auto q = x.evaluate(knob_word);
      if (!q) return complain(e.second, "a knob is a number or a duration");
      k.value = *q;
      into[e.first.as<std::string>()] = std::move(k);
    }
    return ok();
  }

  /// An expression over the knobs, as text (a `$` in front is dropped), checked to have the unit. `otherwise` when it is not there; without: it must be.
  Status quantity(const YAML::Node& map, const char* key, Unit unit, const std::map<std::string, Knob, std::less<>>& knobs, std::string& into, const char* otherwise = nullptr) const {
    const YAML::Node n = map[key];
    if (!n) {
      if (otherwise == nullptr) return complain(map, fmt::format("'{}' is missing", key));
      into = otherwise;
      return ok();
    }
    into = n.Scalar();
    if (into.starts_with("$")) into.erase(0, 1);
    if (into.empty()) return ok();
    const auto v = value_over(knobs, into, unit);
    if (!v) return complain(n, fmt::format("'{}': {}", key, v.error().message), v.error().hint);
    if (!(*v >= 0)) return complain(n, fmt::format("'{}' must not be negative", key));
    return ok();
  }

  /// Fields of one section of the file, as texts over the knobs. A seed among them is read elsewhere.
  Status fields(const YAML::Node& root, const char* section, std::span<const DeclaredField> known, const std::map<std::string, Knob, std::less<>>& knobs, std::map<std::string, std::string>& into) const {
    const YAML::Node map = root[section];
    if (!map || !map.IsMap()) return complain(root, fmt::format("'{}' is missing", section));
    for (const auto& e : map) {
      const auto name = e.first.as<std::string>();
      if (name != "seed" && std::ranges::none_of(known, [&](const DeclaredField& f) { return name == f.name; })) return complain(e.first, fmt::format("unknown field '{}' in {}", name, section));
    }
    for (const DeclaredField& f : known) SUPYO_TRY(quantity(map, f.name, f.unit, knobs, into[f.name], f.otherwise));
    return ok();
  }

  /// Knobs and what they are set to, which each of them can be.
  Status settings_of_knobs(const YAML::Node& map, const Declaration& declared, std::map<std::string, std::string>& into) const {
    for (const auto& e : map) {
      auto knobs = declared.knobs;
      const auto name = e.first.as<std::string>();
      const Status set = set_knob(knobs, declared.lab, fmt::format("{}={}", name, e.second.Scalar()));
      if (!set) return complain(e.first, set.error().message, set.error().hint);
      into[name] = e.second.Scalar();
    }
    return ok();
  }

  Status seed(const YAML::Node& map, std::uint64_t& into) const {
    if (!map["seed"]) return ok();
    SUPYO_ASSIGN(const double n, number(map["seed"], 0, 9e15));
    into = static_cast<std::uint64_t>(n);
    return ok();
  }

  /// What a lab is, and its knobs: what the rest of the file is read with.
  Status head(const YAML::Node& root, Declaration& into) const {
    into.file = std::string(file_);
    SUPYO_ASSIGN(into.lab, text(root, "lab"));
    SUPYO_ASSIGN(into.hypothesis, text(root, "hypothesis"));
    if (const YAML::Node n = root["title"]) into.title = n.Scalar();
    SUPYO_TRY(expected(root, into.expect));
    return knobs(root, into.knobs);
  }

  /// The producer of a PacedDeclaration.
  Status workload(const YAML::Node& root, PacedDeclaration& into) const {
    const YAML::Node w = root["workload"];
    if (!w) return complain(root, "'workload' is missing", "workload: {rate: 1000rps, record: 100B, seed: 1}");
    SUPYO_TRY(allow(w, "workload", {"rate", "record", "seed", "linger"}));
    SUPYO_TRY(quantity(w, "rate", kRate, into.knobs, into.rate));
    SUPYO_TRY(quantity(w, "record", kBytes, into.knobs, into.record_size));
    SUPYO_TRY(seed(w, into.seed));
    if (w["linger"]) { SUPYO_ASSIGN(into.linger_us, duration(w["linger"])); }
    if (into.linger_us <= 0) return complain(w, "linger must be above zero");
    return ok();
  }

  /// How the run is judged.
  Status judgement(const YAML::Node& root, Declaration& into) const {
    SUPYO_TRY(derived(root, into.derive));
    SUPYO_TRY(guard_list(root, into.guards));
    SUPYO_TRY(formulas(root, into.predict, into.verdict));
    return tiles(root, into.tiles);
  }

  Status derived(const YAML::Node& root, std::vector<std::pair<std::string, Expression>>& into) const {
    for (const auto& e : root["derive"]) {
      SUPYO_ASSIGN(Expression x, formula(e.second, e.second.Scalar()));
      into.emplace_back(e.first.as<std::string>(), std::move(x));
    }
    return ok();
  }

  Status expected(const YAML::Node& root, Verdict& into) const {
    if (const YAML::Node n = root["expect"]) {
      const auto v = verdict_named(n.Scalar());
      if (!v) return complain(n, fmt::format("'{}' is not a verdict", n.Scalar()), "CONFIRMED, REFUTED or INVALID");
      into = *v;
    }
    return ok();
  }

  Status guard_list(const YAML::Node& root, std::vector<Guard>& into) const {
    const YAML::Node list = root["guards"];
    if (!list || !list.IsSequence()) return complain(root, "'guards' is missing", "a lab without guards proves nothing");
    for (const YAML::Node& n : list) {
      bool found = false;
      for (const Guard g : {Guard::kOfferedRate, Guard::kFaultSeen, Guard::kLedgerBalances, Guard::kControlClean, Guard::kRecorded, Guard::kDrained}) {
        if (n.Scalar() != guard_name(g)) continue;
        into.push_back(g);
        found = true;
      }
      if (!found) return complain(n, fmt::format("there is no guard '{}'", n.Scalar()), "offered_rate_within_2_percent, fault_seen_by_probe, ledger_balances, control_clean, versions_recorded, drained");
    }
    return ok();
  }

  Status formulas(const YAML::Node& root, std::vector<Prediction>& predict, std::optional<Expression>& verdict_formula) const {
    if (const YAML::Node list = root["predict"]) {
      if (!list.IsMap()) return complain(list, "predict must be a mapping");
      for (const auto& e : list) {
        SUPYO_TRY(allow(e.second, "a prediction", {"formula", "within"}));
        Prediction p;
        p.measure = e.first.as<std::string>();
        SUPYO_ASSIGN(const std::string source, text(e.second, "formula"));
        SUPYO_ASSIGN(p.formula, formula(e.second["formula"], source));
        if (const YAML::Node within = e.second["within"]) {
          SUPYO_ASSIGN(const Expression x, formula(within, within.Scalar()));
          auto q = x.evaluate([](std::string_view) { return std::nullopt; });
          if (!q || q->value <= 0) return complain(within, "'within' is a share above zero: 10%");
          p.within = q->value;
        }
        predict.push_back(std::move(p));
      }
    }
    SUPYO_ASSIGN(const std::string verdict, text(root, "verdict"));
    SUPYO_ASSIGN(verdict_formula, formula(root["verdict"], verdict));
    return ok();
  }

  Status tiles(const YAML::Node& root, std::vector<Tile>& into) const {
    for (const YAML::Node& n : root["tiles"]) {
      SUPYO_TRY(allow(n, "a tile", {"name", "measure", "note"}));
      SUPYO_ASSIGN(const std::string name, text(n, "name"));
      SUPYO_ASSIGN(const std::string measure, text(n, "measure"));
      into.push_back({name, measure, n["note"] ? n["note"].Scalar() : ""});
    }
    return ok();
  }

  template <class HasArm>
  Status plots(const YAML::Node& root, std::vector<Plot>& into, HasArm has_arm) const {
    for (const YAML::Node& n : root["plots"]) {
      SUPYO_TRY(allow(n, "a plot", {"id", "title", "unit", "note", "lines", "x", "y"}));
      Plot p;
      SUPYO_ASSIGN(p.id, text(n, "id"));
      SUPYO_ASSIGN(p.title, text(n, "title"));
      SUPYO_ASSIGN(p.unit, text(n, "unit"));
      if (n["note"]) p.note = n["note"].Scalar();
      if (n["x"]) { SUPYO_ASSIGN(p.x, text(n, "x")); }
      if (n["y"]) { SUPYO_ASSIGN(p.y, text(n, "y")); }
      for (const YAML::Node& l : n["lines"]) {
        SUPYO_TRY(allow(l, "a line", {"series", "label", "arm", "band"}));
        PlotLine line;
        SUPYO_ASSIGN(line.series, text(l, "series"));
        SUPYO_ASSIGN(line.label, text(l, "label"));
        if (l["arm"]) line.arm = l["arm"].Scalar();
        if (!has_arm(line.arm)) return complain(l["arm"], fmt::format("there is no arm '{}'", line.arm));
        line.band = l["band"] && l["band"].Scalar() == "true";
        p.lines.push_back(std::move(line));
      }
      into.push_back(std::move(p));
    }
    return ok();
  }

 private:
  std::string_view file_;
};

}  // namespace supyo::scenario
