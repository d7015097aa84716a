#include <algorithm>
#include <cmath>
#include <cstring>

#include "sql/expr/aggregates.h"
#include "sql/expr/kernel.h"
#include "sql/expr/nested_rows.h"
#include "sql/expr/sorted_counts.h"

// PERCENTILE, exact: every value of a group with its count (SortedCounts), and behind those the percentages and how many they are.
namespace supyo::expr {
namespace {

using Percentages = std::vector<double>;

constexpr std::size_t kKey = sizeof(double);

std::size_t trailer_size(std::string_view blob) {
  std::uint32_t n = 0;
  if (blob.empty()) return 0;
  std::memcpy(&n, blob.data() + blob.size() - sizeof n, sizeof n);
  return n * sizeof(double) + sizeof n;
}

Result<std::string> trailer_of(const Column& column, std::uint32_t row) {
  Percentages wanted;
  if (column.type().is_nested()) {
    nested::Items items;
    nested::read_array(column.type(), column.text(row), items);
    for (const nested::Item& item : items) {
      double p = std::nan("");
      if (!item.null) std::memcpy(&p, item.bytes.data(), sizeof p);
      wanted.push_back(p);
    }
  } else {
    wanted.push_back(column.value<double>(row));
  }
  for (const double p : wanted) {
    if (!(p >= 0 && p <= 1)) return fail(ErrorCode::kArithmetic, "PERCENTILE: a percentage is not between 0 and 1", "write the median as PERCENTILE(x, 0.5)");
  }
  const auto n = static_cast<std::uint32_t>(wanted.size());
  std::string out(reinterpret_cast<const char*>(wanted.data()), n * sizeof(double));
  return out.append(reinterpret_cast<const char*>(&n), sizeof n);
}

class Percentile final : public Aggregate {
 public:
  explicit Percentile(bool many) : result_(many ? Type::array(Type::double_()) : Type::double_()) {}
  std::string_view name() const override { return "PERCENTILE"; }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return 0; }
  bool needs_blob() const override { return true; }

  Status update(std::span<const ColumnPtr> args, std::span<const std::uint32_t> rows, std::span<std::byte* const>, std::span<const std::int8_t> signs,
                std::span<std::string* const> blobs) const override {
    std::string key;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::uint32_t row = rows[i];
      if (args[0]->is_null(row) || args[1]->is_null(row) || (args.size() > 2 && args[2]->is_null(row))) continue;
      const std::int64_t times = args.size() > 2 ? args[2]->value<std::int64_t>(row) : 1;
      if (times <= 0) continue;
      key.clear();
      append_ordered_key(*args[0], row, key);
      std::string trailer;
      if (blobs[i]->empty()) { SUPYO_ASSIGN(trailer, trailer_of(*args[1], row)); }
      else trailer = cut_trailer(*blobs[i]);
      SortedCounts(*blobs[i], kKey).add(key, signs.empty() || signs[i] > 0 ? times : -times);
      blobs[i]->append(trailer);
    }
    return ok();
  }

  Status merge(std::byte*, std::string* blob, const std::byte*, std::string_view other) const override {
    if (other.empty()) return ok();
    const std::string trailer(other.substr(other.size() - trailer_size(other)));
    cut_trailer(*blob);
    SortedCounts counts(*blob, kKey);
    SortedCounts::for_each(other.substr(0, other.size() - trailer.size()), kKey, [&](std::string_view key, std::int64_t n) { counts.add(key, n); });
    blob->append(trailer);
    return ok();
  }

  Status value(const std::byte*, std::string_view blob, ColumnBuilder& out) const override {
    const std::size_t trailer = trailer_size(blob);
    ColumnBuilder builder(Type::double_().not_null(), 0);
    std::vector<std::int64_t> ends;   // the rank behind each value's last
    SortedCounts::for_each(blob.substr(0, blob.size() - trailer), kKey, [&](std::string_view key, std::int64_t n) {
      if (n <= 0) return;
      append_ordered_value(Type::double_(), key, builder);
      ends.push_back((ends.empty() ? 0 : ends.back()) + n);
    });
    if (ends.empty()) {
      out.append_null();
      return ok();
    }
    const ColumnPtr values = builder.finish();
    Percentages found(trailer / sizeof(double));
    std::memcpy(found.data(), blob.data() + blob.size() - trailer, found.size() * sizeof(double));
    for (double& p : found) p = between(*values, ends, p);
    if (!result_.is_nested()) {
      out.append(found[0]);
      return ok();
    }
    nested::Items items;
    for (const double& v : found) items.push_back({false, {reinterpret_cast<const char*>(&v), sizeof v}});
    std::string bytes;
    nested::write_array(Type::double_(), items, bytes);
    out.append_text(bytes);
    return ok();
  }

 private:
  static std::string cut_trailer(std::string& blob) {
    const std::size_t n = trailer_size(blob);
    std::string trailer = blob.substr(blob.size() - n);
    blob.resize(blob.size() - n);
    return trailer;
  }
  /// The value at that part of the ranks 0 .. n - 1, on the line between the two that it is between.
  static double between(const Column& values, const std::vector<std::int64_t>& ends, double percentage) {
    const double position = static_cast<double>(ends.back() - 1) * percentage;
    const double low = std::floor(position), high = std::ceil(position);
    const auto at = [&](double rank) {
      const auto it = std::upper_bound(ends.begin(), ends.end(), static_cast<std::int64_t>(rank));
      return values.value<double>(static_cast<std::size_t>(it - ends.begin()));
    };
    const double below = at(low), above = at(high);
    if (low == high || below == above) return below;
    return (high - position) * below + (position - low) * above;
  }

  Type result_;
};

}  // namespace

AggregatePtr make_percentile(bool many) { return std::make_shared<Percentile>(many); }

}  // namespace supyo::expr
