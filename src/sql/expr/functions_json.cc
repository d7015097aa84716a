#include <charconv>

#include "sql/expr/json_path.h"
#include "sql/expr/nested_rows.h"
#include "sql/expr/registration.h"

// JSON_VALUE and the like. What stands behind their arguments (RETURNING, ON EMPTY, ON ERROR, wrappers, ON NULL) comes as one more constant text, which the
// binder writes: words of what to do on empty and on error, then the wrapper. Source: Flink's SqlJsonUtils, JsonGenerateUtils.
namespace supyo::expr {
namespace {

using Args = std::span<const ColumnPtr>;
using Kind = Json::Kind;

/// A path that is the same for all rows is parsed once.
class Paths {
 public:
  Result<const JsonPath*> of(std::string_view text) {
    if (!path_ || text != text_) {
      SUPYO_ASSIGN(path_, JsonPath::parse(text));
      text_ = text;
    }
    return &*path_;
  }

 private:
  std::string text_;
  std::optional<JsonPath> path_;
};

/// Where a path leads in a text: `error` in strict mode when it is no JSON, or the path is not there.
struct Looked {
  std::optional<Json> document;
  JsonPath::Found found;
  bool error = false;
};

Looked look(std::string_view text, const JsonPath& path) {
  Looked out;
  out.document = parse_json(text);
  if (out.document) out.found = path.find(*out.document);
  out.error = !path.lax() && (!out.document || out.found.value() == nullptr);   // a JSON null too: "Strict jsonpath mode requires a non empty returned value"
  return out;
}

std::string_view word(std::string_view words, std::size_t n) {
  for (; n > 0 && !words.empty(); --n) words.remove_prefix(std::min(words.find(' '), words.size() - 1) + 1);
  return words.substr(0, words.find(' '));
}

bool any_null(Args args, std::size_t row) {
  return std::ranges::any_of(args, [row](const ColumnPtr& a) { return a->is_null(row); });
}

// ---- JSON_EXISTS(json, path [, on error])

Result<ColumnPtr> exists(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::uint8_t> out(rows);
  Paths paths;
  for (std::size_t row = 0; row < rows; ++row) {
    if (any_null(args.first(2), row)) {
      out.set_null(row);
      continue;
    }
    SUPYO_ASSIGN(const JsonPath* path, paths.of(args[1]->text(row)));
    const Looked looked = look(args[0]->text(row), *path);
    const std::string_view otherwise = args.size() > 2 && !args[2]->is_null(row) ? args[2]->text(row) : "FALSE";
    if (!looked.error) out.set(row, looked.found.value() != nullptr);
    else if (otherwise == "ERROR") return arithmetic_error("JSON_EXISTS: the path is not in the text, or the text is no JSON");
    else if (otherwise == "UNKNOWN") out.set_null(row);
    else out.set(row, otherwise == "TRUE");
  }
  return out.finish(result);
}

// ---- JSON_VALUE(json, path [, on empty and on error, default, default])

/// The value in the type asked for; false where it is none.
bool append_scalar(const Json& value, ColumnBuilder& out) {
  const std::string& text = value.text;
  switch (out.type().id) {
    case TypeId::kString: out.append_text(text); return true;
    case TypeId::kBoolean:
      if (value.kind != Kind::kBoolean) return false;
      out.append(static_cast<std::uint8_t>(text == "true"));
      return true;
    case TypeId::kInteger: {
      std::int32_t v = 0;
      if (value.kind != Kind::kNumber || std::from_chars(text.data(), text.data() + text.size(), v) != std::from_chars_result{text.data() + text.size(), std::errc{}}) return false;
      out.append(v);
      return true;
    }
    default: {
      double v = 0;
      if (value.kind != Kind::kNumber || std::from_chars(text.data(), text.data() + text.size(), v).ec != std::errc{}) return false;
      out.append(v);
      return true;
    }
  }
}

Result<ColumnPtr> value(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  ColumnBuilder out(result, rows);
  Paths paths;
  for (std::size_t row = 0; row < rows; ++row) {
    if (any_null(args.first(2), row)) {
      out.append_null();
      continue;
    }
    SUPYO_ASSIGN(const JsonPath* path, paths.of(args[1]->text(row)));
    const Looked looked = look(args[0]->text(row), *path);
    const Json* found = looked.found.value();
    const bool empty = !looked.error && (found == nullptr || (path->lax() && !found->is_scalar()));
    if (!looked.error && !empty && found->is_scalar() && append_scalar(*found, out)) continue;
    const std::string_view otherwise = args.size() > 2 ? word(args[2]->text(row), empty ? 0 : 1) : "NULL";
    if (otherwise == "ERROR") return arithmetic_error(empty ? "JSON_VALUE: there is no value" : "JSON_VALUE: the text is no JSON, or the path leads to no plain value of the type that is asked for");
    if (otherwise == "DEFAULT") out.append_from(*args[empty ? 3 : 4], row);
    else out.append_null();
  }
  return out.finish();
}

// ---- JSON_QUERY(json, path [, on empty, on error, wrapper])

bool append_texts(const Json& array, const Type& type, std::string& out) {
  if (array.kind != Kind::kArray) return false;
  nested::Items items;
  std::vector<std::string> texts(array.members.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Json& v = array.members[i].value;
    if (v.is_scalar()) texts[i] = v.text;
    else append_json(v, texts[i]);
    items.push_back(v.kind == Kind::kNull ? nested::Item{} : nested::Item{false, texts[i]});
  }
  nested::write_array(type.children()[0], items, out);
  return true;
}

Result<ColumnPtr> query(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  Paths paths;
  const bool texts = result.id == TypeId::kArray;
  return each_row(result, rows, [&](std::size_t row, std::string& out) -> Result<bool> {
    if (any_null(args.first(2), row)) return false;
    const std::string_view words = args.size() > 2 && !args[2]->is_null(row) ? args[2]->text(row) : "NULL NULL WITHOUT";
    SUPYO_ASSIGN(const JsonPath* path, paths.of(args[1]->text(row)));
    const Looked looked = look(args[0]->text(row), *path);
    const Json* found = looked.found.value();
    const std::string_view wrapper = word(words, 2);
    std::optional<Json> wrapped;
    if (found != nullptr && (wrapper == "UNCONDITIONAL" || (wrapper == "CONDITIONAL" && found->kind != Kind::kArray))) {
      wrapped = Json{Kind::kArray, {}, {}};
      wrapped->members.emplace_back(std::string(), *found);
      found = &*wrapped;
    }
    const bool empty = !looked.error && (found == nullptr || (path->lax() && found->is_scalar()));
    if (!looked.error && !empty && !found->is_scalar()) {
      if (texts && append_texts(*found, result, out)) return true;
      if (!texts) {
        append_json(*found, out);
        return true;
      }
    }
    const std::string_view otherwise = word(words, empty ? 0 : 1);
    if (otherwise == "ERROR") return arithmetic_error(empty ? "JSON_QUERY: there is no value" : "JSON_QUERY: the text is no JSON, or the path leads to no array and no object");
    if (otherwise == "NULL") return false;
    if (texts) nested::write_array(result.children()[0], {}, out);
    else out += otherwise == "ARRAY" ? "[]" : "{}";
    return true;
  });
}

// ---- making JSON

/// Values, of which `raw` ones are JSON already.
Result<Json> member_of(const Column& column, std::size_t row, bool raw) {
  if (column.is_null(row)) return Json{};
  if (!raw) return json_of(column.type(), nested::item_at(column, row));
  auto parsed = parse_json(column.text(row));
  if (!parsed) return arithmetic_error(fmt::format("'{}' is no JSON", column.text(row).substr(0, 100)));
  return *std::move(parsed);
}

char flag(std::string_view how, std::size_t i) { return i < how.size() ? how[i] : 'V'; }

/// JSON_OBJECT(how, key, value, ..): `how` is A (absent on null) or N, then R (raw) or V a value.
Result<ColumnPtr> object(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return each_row(result, rows, [&](std::size_t row, std::string& out) -> Result<bool> {
    const std::string_view how = args[0]->is_null(row) ? "" : args[0]->text(row);
    Json json{Kind::kObject, {}, {}};
    for (std::size_t i = 1; i + 1 < args.size(); i += 2) {
      if (args[i]->is_null(row)) return arithmetic_error("JSON_OBJECT: a key is null");
      if (args[i + 1]->is_null(row) && flag(how, 0) == 'A') continue;
      SUPYO_ASSIGN(Json member, member_of(*args[i + 1], row, flag(how, (i + 1) / 2) == 'R'));
      json.members.emplace_back(std::string(args[i]->text(row)), std::move(member));
    }
    append_json(json, out);
    return true;
  });
}

Result<ColumnPtr> array(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return each_row(result, rows, [&](std::size_t row, std::string& out) -> Result<bool> {
    const std::string_view how = args[0]->is_null(row) ? "" : args[0]->text(row);
    Json json{Kind::kArray, {}, {}};
    for (std::size_t i = 1; i < args.size(); ++i) {
      if (args[i]->is_null(row) && flag(how, 0) == 'A') continue;
      SUPYO_ASSIGN(Json member, member_of(*args[i], row, flag(how, i) == 'R'));
      json.members.emplace_back(std::string(), std::move(member));
    }
    append_json(json, out);
    return true;
  });
}

Result<ColumnPtr> json(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return each_row(result, rows, [&](std::size_t row, std::string& out) -> Result<bool> {
    if (args[0]->is_null(row) || args[0]->text(row).find_first_not_of(" \t\r\n") == std::string_view::npos) return false;
    SUPYO_ASSIGN(const Json value, member_of(*args[0], row, true));
    append_json(value, out);
    return true;
  });
}

Result<ColumnPtr> to_string(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    if (args[0]->is_null(row)) return false;
    append_json(json_of(args[0]->type(), nested::item_at(*args[0], row)), out);
    return true;
  });
}

// ---- texts

void append_unit(unsigned unit, std::string& out) { fmt::format_to(std::back_inserter(out), "\\u{:04x}", unit); }

/// JSON_QUOTE: a JSON text in ASCII.
Result<ColumnPtr> quote(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<std::string_view>(args, result, rows, [](std::string& out, std::string_view s) {
    out += '"';
    for (std::size_t i = 0; i < s.size();) {
      const auto c = static_cast<unsigned char>(s[i]);
      static constexpr std::string_view kEscaped = "\"\\/\b\f\n\r\t", kBy = "\"\\/bfnrt";
      if (const std::size_t at = kEscaped.find(s[i]); at != std::string_view::npos) {
        out += '\\';
        out += kBy[at];
        ++i;
        continue;
      }
      if (c >= 0x20 && c < 0x7f) {
        out += s[i++];
        continue;
      }
      const std::size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
      unsigned code = n == 1 ? c : c & (0xffU >> (n + 1));
      for (std::size_t k = 1; k < n && i + k < s.size(); ++k) code = code << 6 | (static_cast<unsigned char>(s[i + k]) & 0x3f);
      i += n;
      if (code >= 0x10000) {
        append_unit(0xd800 + ((code - 0x10000) >> 10), out);
        append_unit(0xdc00 + ((code - 0x10000) & 0x3ff), out);
      } else {
        append_unit(code, out);
      }
    }
    out += '"';
  });
}

/// A JSON text without its quotes and escapes; anything else as it is.
Result<ColumnPtr> unquote(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<std::string_view>(args, result, rows, [](std::string& out, std::string_view s) {
    const auto parsed = s.starts_with('"') && s.ends_with('"') ? parse_json(s) : std::nullopt;
    out += parsed && parsed->kind == Kind::kString ? std::string_view(parsed->text) : s;
  });
}

enum class Is : std::uint8_t { kValue, kObject, kArray, kScalar };
template <Is kIs>
Result<ColumnPtr> is_json(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::uint8_t> out(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto parsed = args[0]->is_null(row) ? std::nullopt : parse_json(args[0]->text(row));
    out.set(row, parsed && (kIs == Is::kValue || (kIs == Is::kObject && parsed->kind == Kind::kObject) || (kIs == Is::kArray && parsed->kind == Kind::kArray) ||
                            (kIs == Is::kScalar && parsed->is_scalar())));
  }
  return out.finish(result);
}

// ---- types

bool is_text(const Type& t) { return t.is_text() || t.id == TypeId::kNull; }

/// (json, path [, how [, default, default]]): what is asked for is the caller's to say; a text here.
Binder reads(std::size_t most, Type result) {
  return [=](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() < 2 || args.size() > most || (most == 5 && args.size() != 2 && args.size() != 5)) return std::nullopt;
    for (const Type& a : args.first(std::min<std::size_t>(args.size(), 3)))
      if (!is_text(a)) return std::nullopt;
    Typing typing{{args.begin(), args.end()}, result};
    for (std::size_t i = 0; i < args.size(); ++i)
      if (args[i].id == TypeId::kNull) typing.args[i] = Type::string();
    return typing;
  };
}

Binder makes(bool pairs) {
  return [=](std::span<const Type> args) -> std::optional<Typing> {
    if (args.empty() || !args[0].is_text() || (pairs && args.size() % 2 == 0)) return std::nullopt;
    Typing typing{{args.begin(), args.end()}, Type::string().not_null()};
    for (std::size_t i = 1; i < args.size(); ++i) {
      const bool key = pairs && i % 2 == 1;
      if (args[i].id == TypeId::kNull && !key) typing.args[i] = Type::string();
      else if (key ? !args[i].is_text() : !can_be_json(args[i])) return std::nullopt;
    }
    return typing;
  };
}

std::optional<Typing> to_string_binder(std::span<const Type> args) {
  if (args.size() != 1 || !can_be_json(args[0])) return std::nullopt;
  return Typing{{args[0]}, Type::string().as_nullable(args[0].nullable)};
}

}  // namespace

void register_json(Registrar& r) {
  const Type s = Type::string();
  r.add({.name = "JSON_EXISTS", .kernel = exists, .signature = "JSON_EXISTS(STRING, path [{TRUE | FALSE | UNKNOWN | ERROR} ON ERROR]) -> BOOLEAN", .help = "Whether the path leads somewhere."}, reads(3, Type::boolean()));
  r.add({.name = "JSON_VALUE", .kernel = value,
         .signature = "JSON_VALUE(STRING, path [RETURNING type] [{NULL | ERROR | DEFAULT value} ON EMPTY] [.. ON ERROR]) -> STRING, BOOLEAN, INT or DOUBLE",
         .help = "The plain value that the path leads to. Paths are strict unless they begin with lax."}, reads(5, s));
  r.add({.name = "JSON_QUERY", .kernel = query,
         .signature = "JSON_QUERY(STRING, path [RETURNING type] [WITH [CONDITIONAL] WRAPPER] [{NULL | ERROR | EMPTY ARRAY | EMPTY OBJECT} ON EMPTY] [.. ON ERROR]) -> STRING or ARRAY<STRING>",
         .help = "The array or object that the path leads to, as JSON."}, reads(3, s));
  r.add({.name = "JSON_OBJECT", .kernel = object, .signature = "JSON_OBJECT([KEY STRING VALUE any, ..] [{NULL | ABSENT} ON NULL]) -> STRING", .help = "A JSON object; its names ascend."}, makes(true));
  r.add({.name = "JSON_ARRAY", .kernel = array, .signature = "JSON_ARRAY([any, ..] [{ABSENT | NULL} ON NULL]) -> STRING", .help = "A JSON array."}, makes(false));
  r.add({.name = "JSON", .kernel = json, .signature = "JSON(STRING) -> STRING", .help = "Inside JSON_OBJECT and JSON_ARRAY: the text is JSON already."}, takes({s}, s, {.always_nullable = true}));
  r.add({.name = "JSON_STRING", .kernel = to_string, .signature = "JSON_STRING(any) -> STRING", .help = "The value as JSON; null of null."}, to_string_binder);
  r.add({.name = "JSON_QUOTE", .kernel = quote, .signature = "JSON_QUOTE(STRING) -> STRING", .help = "The text as a JSON string, in ASCII."}, takes({s}, s));
  r.add({.name = "JSON_UNQUOTE", .kernel = unquote, .signature = "JSON_UNQUOTE(STRING) -> STRING", .help = "A JSON string as text; anything else as it is."}, takes({s}, s));
  const auto is = [&](const char* what, Kernel kernel, const char* help) {
    r.add({.name = fmt::format("IS JSON {}", what), .kernel = kernel, .signature = fmt::format("STRING IS JSON {} -> BOOLEAN", what), .help = help}, takes({s}, Type::boolean(), {.never_null = true}));
  };
  is("VALUE", is_json<Is::kValue>, "Whether the text is JSON; false of null.");
  is("OBJECT", is_json<Is::kObject>, "Whether the text is a JSON object.");
  is("ARRAY", is_json<Is::kArray>, "Whether the text is a JSON array.");
  is("SCALAR", is_json<Is::kScalar>, "Whether the text is a plain JSON value.");
}

}  // namespace supyo::expr
