#include <algorithm>
#include <cstring>
#include <map>

#include "sql/expr/aggregates.h"
#include "sql/expr/json_value.h"
#include "sql/expr/kernel.h"

// ARRAY_AGG, COLLECT, JSON_ARRAYAGG and JSON_OBJECTAGG: all values of a group, in the order in which they came. A retraction takes the first that equals it, as
// Flink's does. The blob is one entry a value: its length (u32, kNull for NULL) and its bytes.
namespace supyo::expr {
namespace {

using namespace update_arguments;
using nested::Item;

constexpr std::uint32_t kNull = UINT32_MAX;

std::uint32_t length_at(std::string_view blob, std::size_t at) {
  std::uint32_t n = 0;
  std::memcpy(&n, blob.data() + at, sizeof n);
  return n;
}
std::size_t entry_size(std::string_view blob, std::size_t at) {
  const std::uint32_t n = length_at(blob, at);
  return sizeof n + (n == kNull ? 0 : n);
}

void append_entry(const Item& item, std::string& out) {
  const std::uint32_t n = item.null ? kNull : static_cast<std::uint32_t>(item.bytes.size());
  out.append(reinterpret_cast<const char*>(&n), sizeof n);
  if (!item.null) out.append(item.bytes);
}

void remove_entry(std::string& blob, std::string_view entry) {
  for (std::size_t at = 0; at < blob.size();) {
    const std::size_t size = entry_size(blob, at);
    if (std::string_view(blob).substr(at, size) == entry) {
      blob.erase(at, size);
      return;
    }
    at += size;
  }
}

nested::Items entries_of(std::string_view blob) {
  nested::Items items;
  for (std::size_t at = 0; at < blob.size(); at += entry_size(blob, at)) {
    const std::uint32_t n = length_at(blob, at);
    items.push_back(n == kNull ? Item{} : Item{false, blob.substr(at + sizeof n, n)});
  }
  return items;
}

/// Keeps what `entry` gives of each row.
class Collected : public Aggregate {
 public:
  Collected(std::string_view name, Type result) : name_(name), result_(std::move(result)) {}
  std::string_view name() const override { return name_; }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return 0; }
  bool needs_blob() const override { return true; }
  Status update(Args args, Rows rows, Accs, Signs signs, Blobs blobs) const override {
    std::string one;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      one.clear();
      SUPYO_ASSIGN(const bool taken, entry(args, rows[i], one));
      if (!taken) continue;
      if (signs.empty() || signs[i] > 0) blobs[i]->append(one);
      else remove_entry(*blobs[i], one);
    }
    return ok();
  }
  Status merge(std::byte*, std::string* blob, const std::byte*, std::string_view other) const override {
    blob->append(other);
    return ok();
  }

 protected:
  /// Appends the entry of a row; false when the row is left out.
  virtual Result<bool> entry(Args args, std::uint32_t row, std::string& out) const = 0;

 private:
  std::string_view name_;
  Type result_;
};

class ArrayAgg final : public Collected {
 public:
  explicit ArrayAgg(const Type& arg) : Collected("ARRAY_AGG", Type::array(arg)), element_(arg) {}
  Status value(const std::byte*, std::string_view blob, ColumnBuilder& out) const override {
    if (blob.empty()) {
      out.append_null();
      return ok();
    }
    std::string bytes;
    nested::write_array(element_, entries_of(blob), bytes);
    out.append_text(bytes);
    return ok();
  }

 private:
  Result<bool> entry(Args args, std::uint32_t row, std::string& out) const override {
    append_entry(nested::item_at(*args[0], row), out);
    return true;
  }
  Type element_;
};

class Collect final : public Collected {
 public:
  explicit Collect(const Type& arg) : Collected("COLLECT", Type::multiset(arg).not_null()), element_(arg) {}
  Status value(const std::byte*, std::string_view blob, ColumnBuilder& out) const override {
    std::map<std::string_view, std::int32_t> counts;
    for (const Item& item : entries_of(blob)) ++counts[item.bytes];
    nested::Items items, numbers;
    for (const auto& [bytes, n] : counts) {
      items.push_back({false, bytes});
      numbers.push_back({false, {reinterpret_cast<const char*>(&n), sizeof n}});
    }
    std::string bytes;
    nested::write_map(element_, nested::count_type(), items, numbers, bytes);
    out.append_text(bytes);
    return ok();
  }

 private:
  Result<bool> entry(Args args, std::uint32_t row, std::string& out) const override {
    if (args[0]->is_null(row)) return false;
    append_entry(nested::item_at(*args[0], row), out);
    return true;
  }
  Type element_;
};

/// Whether NULLs are left out: the last argument, which the binder adds, says A (absent) or N (null).
bool absent(const Column& how, std::uint32_t row) { return !how.is_null(row) && how.text(row) == "A"; }

class JsonArrayAgg final : public Collected {
 public:
  JsonArrayAgg() : Collected("JSON_ARRAYAGG", Type::string().not_null()) {}
  Status value(const std::byte*, std::string_view blob, ColumnBuilder& out) const override {
    std::string text = "[";
    for (const Item& item : entries_of(blob)) {
      if (text.size() > 1) text += ',';
      text += item.bytes;
    }
    out.append_text(text + "]");
    return ok();
  }

 private:
  Result<bool> entry(Args args, std::uint32_t row, std::string& out) const override {
    if (args[0]->is_null(row) && absent(*args[1], row)) return false;
    std::string json;
    append_json(json_of(args[0]->type(), nested::item_at(*args[0], row)), json);
    append_entry({false, json}, out);
    return true;
  }
};

class JsonObjectAgg final : public Collected {
 public:
  JsonObjectAgg() : Collected("JSON_OBJECTAGG", Type::string().not_null()) {}
  Status value(const std::byte*, std::string_view blob, ColumnBuilder& out) const override {
    std::map<std::string_view, std::string_view> members;
    for (const Item& item : entries_of(blob)) {
      const std::uint32_t n = length_at(item.bytes, 0);
      const std::string_view key = item.bytes.substr(sizeof n, n);
      if (!members.emplace(key, item.bytes.substr(sizeof n + n)).second) return arithmetic_error(fmt::format("JSON_OBJECTAGG: the key '{}' stands twice", key));
    }
    std::string text = "{";
    for (const auto& [key, json] : members) {
      if (text.size() > 1) text += ',';
      append_json_text(key, text);
      text += ':';
      text += json;
    }
    out.append_text(text + "}");
    return ok();
  }

 private:
  Result<bool> entry(Args args, std::uint32_t row, std::string& out) const override {
    if (args[0]->is_null(row)) return arithmetic_error("JSON_OBJECTAGG: a key is null");
    if (args[1]->is_null(row) && absent(*args[2], row)) return false;
    std::string member;
    append_entry(nested::item_at(*args[0], row), member);
    append_json(json_of(args[1]->type(), nested::item_at(*args[1], row)), member);
    append_entry({false, member}, out);
    return true;
  }
};

}  // namespace

AggregatePtr make_collected(std::string_view name, std::span<const Type> args) {
  if (name == "ARRAY_AGG" && args.size() == 1) return std::make_shared<ArrayAgg>(args[0]);
  if (name == "COLLECT" && args.size() == 1) return std::make_shared<Collect>(args[0]);
  if (name == "JSON_ARRAYAGG" && args.size() == 2 && can_be_json(args[0])) return std::make_shared<JsonArrayAgg>();
  if (name == "JSON_OBJECTAGG" && args.size() == 3 && args[0].is_text() && can_be_json(args[1])) return std::make_shared<JsonObjectAgg>();
  return nullptr;
}

}  // namespace supyo::expr
