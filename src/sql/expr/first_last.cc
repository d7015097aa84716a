#include <cstring>

#include "sql/expr/aggregates.h"
#include "sql/expr/kernel.h"
#include "sql/expr/sorted_counts.h"

// FIRST_VALUE and LAST_VALUE: the first or last value that is not null, in the order of the rows.
namespace supyo::expr {
namespace {

using namespace update_arguments;

std::string_view name_of(bool last) { return last ? "LAST_VALUE" : "FIRST_VALUE"; }
bool is_present(const std::byte* acc) {
  std::int64_t present = 0;
  std::memcpy(&present, acc, sizeof present);
  return present != 0;
}
void set_present(std::byte* acc) {
  const std::int64_t present = 1;
  std::memcpy(acc, &present, sizeof present);
}

/// Over inserts, fixed-width values: in place, after whether there is one.
template <class T>
class Edge final : public Aggregate {
 public:
  Edge(bool last, Type arg) : last_(last), result_(arg) {}
  std::string_view name() const override { return name_of(last_); }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return 8 + (sizeof(T) + 7) / 8 * 8; }
  Status update(Args args, Rows rows, Accs acc, Signs, Blobs) const override {
    const Column& c = *args[0];
    const auto values = c.values<T>();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (c.is_null(rows[i]) || (!last_ && is_present(acc[i]))) continue;
      set_present(acc[i]);
      std::memcpy(acc[i] + 8, &values[rows[i]], sizeof(T));
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view, ColumnBuilder& out) const override {
    T v;
    std::memcpy(&v, acc + 8, sizeof v);
    if (is_present(acc)) out.append(v); else out.append_null();
    return ok();
  }
  Status merge(std::byte* acc, std::string*, const std::byte* other, std::string_view) const override {
    if (is_present(other) && (last_ || !is_present(acc))) std::memcpy(acc, other, width());
    return ok();
  }

 private:
  bool last_;
  Type result_;
};

/// Over inserts, texts: the blob.
class TextEdge final : public Aggregate {
 public:
  TextEdge(bool last, Type arg) : last_(last), result_(arg) {}
  std::string_view name() const override { return name_of(last_); }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return 8; }
  bool needs_blob() const override { return true; }
  Status update(Args args, Rows rows, Accs acc, Signs, Blobs blobs) const override {
    const Column& c = *args[0];
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (c.is_null(rows[i]) || (!last_ && is_present(acc[i]))) continue;
      set_present(acc[i]);
      blobs[i]->assign(c.text(rows[i]));
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view blob, ColumnBuilder& out) const override {
    if (is_present(acc)) out.append_text(blob); else out.append_null();
    return ok();
  }
  Status merge(std::byte* acc, std::string* blob, const std::byte* other, std::string_view other_blob) const override {
    if (!is_present(other) || (!last_ && is_present(acc))) return ok();
    set_present(acc);
    blob->assign(other_blob);
    return ok();
  }

 private:
  bool last_;
  Type result_;
};

/// Over rows that go again: all values in order. A retraction takes the first value that equals it, as Flink's does.
/// An entry is the value's ordered key; where keys differ in length, between two u32 with its length, so that it can be read from both ends.
class RetractableEdge final : public Aggregate {
 public:
  RetractableEdge(bool last, Type arg) : last_(last), result_(arg), key_size_(ordered_key_size(arg)) {}
  std::string_view name() const override { return name_of(last_); }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return 0; }
  bool needs_blob() const override { return true; }
  Status update(Args args, Rows rows, Accs, Signs signs, Blobs blobs) const override {
    std::string key;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (args[0]->is_null(rows[i])) continue;
      key.clear();
      append_ordered_key(*args[0], rows[i], key);
      if (signs.empty() || signs[i] > 0) add(*blobs[i], key); else remove(*blobs[i], key);
    }
    return ok();
  }
  Status value(const std::byte*, std::string_view blob, ColumnBuilder& out) const override {
    if (blob.empty()) out.append_null(); else append_ordered_value(result_, last_ ? last_of(blob) : entry_at(blob, 0), out);
    return ok();
  }
  Status merge(std::byte*, std::string* blob, const std::byte*, std::string_view other_blob) const override {
    blob->append(other_blob);
    return ok();
  }

 private:
  static constexpr std::size_t kLength = sizeof(std::uint32_t);
  static std::uint32_t length_at(std::string_view blob, std::size_t at) {
    std::uint32_t n = 0;
    std::memcpy(&n, blob.data() + at, kLength);
    return n;
  }
  std::size_t framing() const { return key_size_ == 0 ? 2 * kLength : 0; }
  std::string_view entry_at(std::string_view blob, std::size_t at) const {
    return key_size_ != 0 ? blob.substr(at, key_size_) : blob.substr(at + kLength, length_at(blob, at));
  }
  std::string_view last_of(std::string_view blob) const {
    const std::size_t size = key_size_ != 0 ? key_size_ : length_at(blob, blob.size() - kLength);
    return blob.substr(blob.size() - size - (key_size_ != 0 ? 0 : kLength), size);
  }
  void add(std::string& blob, std::string_view key) const {
    const auto n = static_cast<std::uint32_t>(key.size());
    if (key_size_ == 0) blob.append(reinterpret_cast<const char*>(&n), kLength);
    blob.append(key);
    if (key_size_ == 0) blob.append(reinterpret_cast<const char*>(&n), kLength);
  }
  void remove(std::string& blob, std::string_view key) const {
    for (std::size_t at = 0; at < blob.size();) {
      const std::string_view entry = entry_at(blob, at);
      const std::size_t whole = entry.size() + framing();
      if (entry == key) {
        blob.erase(at, whole);
        return;
      }
      at += whole;
    }
  }

  bool last_;
  Type result_;
  std::size_t key_size_;
};

}  // namespace

AggregatePtr make_edge_value(bool last, const Type& arg, bool retracting) {
  if (retracting) return std::make_shared<RetractableEdge>(last, arg);
  if (arg.is_variable()) return std::make_shared<TextEdge>(last, arg);
  return with_representation(arg.id, [&]<class T>(std::type_identity<T>) -> AggregatePtr { return std::make_shared<Edge<T>>(last, arg); });
}

}  // namespace supyo::expr
