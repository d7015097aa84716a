#include <cstring>

#include "sql/expr/aggregates.h"
#include "sql/expr/kernel.h"
#include "sql/expr/sorted_counts.h"

// LISTAGG and SINGLE_VALUE.
namespace supyo::expr {
namespace {

using namespace update_arguments;

std::int64_t& count_of(std::byte* acc) { return *reinterpret_cast<std::int64_t*>(acc); }
std::int64_t count_of(const std::byte* acc) { return *reinterpret_cast<const std::int64_t*>(acc); }

constexpr std::size_t kSize = sizeof(std::uint32_t);
std::uint32_t number_at(std::string_view blob, std::size_t at) {
  std::uint32_t n = 0;
  std::memcpy(&n, blob.data() + at, kSize);
  return n;
}
/// A text in a blob: u32 length, bytes.
std::string_view text_at(std::string_view blob, std::size_t at) { return blob.substr(at + kSize, number_at(blob, at)); }
void append_number(std::uint32_t n, std::string& blob) { blob.append(reinterpret_cast<const char*>(&n), kSize); }
void append_text(std::string_view text, std::string& blob) {
  append_number(static_cast<std::uint32_t>(text.size()), blob);
  blob += text;
}

std::string_view separator_of(Args args, std::uint32_t row) { return args.size() > 1 ? args[1]->text(row) : std::string_view(","); }

/// LISTAGG of rows that stay. Blob: the separator, then the text so far. In place: how many values are in it.
class ListAgg final : public Aggregate {
 public:
  std::string_view name() const override { return "LISTAGG"; }
  Type result() const override { return Type::string(); }
  std::uint32_t width() const override { return 8; }
  bool needs_blob() const override { return true; }
  Status update(Args args, Rows rows, Accs acc, Signs, Blobs blobs) const override {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (args[0]->is_null(rows[i])) continue;
      if (count_of(acc[i])++ > 0) blobs[i]->append(text_at(*blobs[i], 0));
      else append_text(separator_of(args, rows[i]), *blobs[i]);
      *blobs[i] += args[0]->text(rows[i]);
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view blob, ColumnBuilder& out) const override {
    if (count_of(acc) == 0) out.append_null(); else out.append_text(text_of(blob));
    return ok();
  }
  Status merge(std::byte* acc, std::string* blob, const std::byte* other, std::string_view other_blob) const override {
    if (count_of(other) == 0) return ok();
    if (count_of(acc) == 0) {
      blob->assign(other_blob);
    } else {
      blob->append(text_at(*blob, 0));
      blob->append(text_of(other_blob));
    }
    count_of(acc) += count_of(other);
    return ok();
  }

 private:
  static std::string_view text_of(std::string_view blob) { return blob.substr(kSize + number_at(blob, 0)); }
};

/// LISTAGG of rows that go again, or of distinct values: the values in the order in which they came, each with how often it is there. Blob: the
/// separator, then the values; a value has its count before it. In place: how many values there are.
class ListOfValues final : public Aggregate {
 public:
  explicit ListOfValues(bool distinct) : distinct_(distinct) {}
  std::string_view name() const override { return "LISTAGG"; }
  Type result() const override { return Type::string(); }
  std::uint32_t width() const override { return 8; }
  bool needs_blob() const override { return true; }
  Status update(Args args, Rows rows, Accs acc, Signs signs, Blobs blobs) const override {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (args[0]->is_null(rows[i])) continue;
      if (blobs[i]->empty()) append_text(separator_of(args, rows[i]), *blobs[i]);
      change(args[0]->text(rows[i]), signs.empty() ? 1 : signs[i], acc[i], *blobs[i]);
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view blob, ColumnBuilder& out) const override {
    if (count_of(acc) == 0) {
      out.append_null();
      return ok();
    }
    const std::string_view separator = text_at(blob, 0);
    std::string all;
    bool first = true;
    for (std::size_t at = kSize + separator.size(); at < blob.size();) {
      const std::string_view text = text_at(blob, at + kSize);
      if (!first) all += separator;
      first = false;
      all += text;
      at += 2 * kSize + text.size();
    }
    out.append_text(all);
    return ok();
  }
  Status merge(std::byte* acc, std::string* blob, const std::byte*, std::string_view other) const override {
    if (other.empty()) return ok();
    const std::string_view separator = text_at(other, 0);
    if (blob->empty()) append_text(separator, *blob);
    for (std::size_t at = kSize + separator.size(); at < other.size();) {
      const std::string_view text = text_at(other, at + kSize);
      for (std::uint32_t n = number_at(other, at); n > 0; --n) change(text, 1, acc, *blob);
      at += 2 * kSize + text.size();
    }
    return ok();
  }

 private:
  void change(std::string_view text, std::int64_t sign, std::byte* acc, std::string& blob) const {
    if (distinct_ || sign < 0) {
      for (std::size_t at = kSize + number_at(blob, 0); at < blob.size(); at += 2 * kSize + text_at(blob, at + kSize).size()) {
        if (text_at(blob, at + kSize) != text) continue;
        const auto n = static_cast<std::uint32_t>(number_at(blob, at) + sign);
        std::memcpy(blob.data() + at, &n, kSize);
        if (n == 0) {
          blob.erase(at, 2 * kSize + text.size());
          --count_of(acc);
        }
        return;
      }
    }
    if (sign < 0) return;
    append_number(1, blob);
    append_text(text, blob);
    ++count_of(acc);
  }

  bool distinct_;
};

/// The value of a group of one row. In place: how many rows, and whether the value is null.
class SingleValue final : public Aggregate {
 public:
  explicit SingleValue(Type arg) : result_(arg) {}
  std::string_view name() const override { return "SINGLE_VALUE"; }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return 16; }
  bool needs_blob() const override { return true; }
  Status update(Args args, Rows rows, Accs acc, Signs signs, Blobs blobs) const override {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!signs.empty() && signs[i] < 0) {
        --count_of(acc[i]);
        continue;
      }
      if (count_of(acc[i]) >= 1)
        return fail(ErrorCode::kArithmetic, "a subquery that stands for a value (SINGLE_VALUE) gave more than one row", "aggregate in it, (SELECT MAX(x) FROM t), or let its WHERE leave one row");
      ++count_of(acc[i]);
      count_of(acc[i] + 8) = args[0]->is_null(rows[i]) ? 1 : 0;
      blobs[i]->clear();
      if (!args[0]->is_null(rows[i])) append_ordered_key(*args[0], rows[i], *blobs[i]);
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view blob, ColumnBuilder& out) const override {
    if (count_of(acc) <= 0 || count_of(acc + 8) != 0) out.append_null(); else append_ordered_value(result_, blob, out);
    return ok();
  }

 private:
  Type result_;
};

}  // namespace

AggregatePtr make_list(bool distinct, bool retracting) {
  if (distinct || retracting) return std::make_shared<ListOfValues>(distinct);
  return std::make_shared<ListAgg>();
}
AggregatePtr make_single_value(const Type& arg) { return std::make_shared<SingleValue>(arg); }

}  // namespace supyo::expr
