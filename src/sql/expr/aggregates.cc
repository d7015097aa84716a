#include "sql/expr/aggregates.h"

#include <cstring>

#include "sql/expr/decimal.h"
#include "sql/expr/kernel.h"
#include "sql/expr/sorted_counts.h"

namespace supyo::expr {
namespace {

using namespace update_arguments;

/// Accumulators are 8-aligned, not 16: those with an Int128 go through copies.
template <class Acc>
Acc load(const std::byte* p) {
  Acc a;
  std::memcpy(&a, p, sizeof a);
  return a;
}
template <class Acc>
void store(std::byte* p, const Acc& a) { std::memcpy(p, &a, sizeof a); }

std::int64_t sign_of(Signs signs, std::size_t i) { return signs.empty() ? 1 : signs[i]; }

class CountRows final : public Aggregate {
 public:
  std::string_view name() const override { return "COUNT"; }
  Type result() const override { return Type::big_int().not_null(); }
  std::uint32_t width() const override { return 8; }
  Status update(Args, Rows rows, Accs acc, Signs signs, Blobs) const override {
    if (signs.empty()) {
      for (std::size_t i = 0; i < rows.size(); ++i) ++*reinterpret_cast<std::int64_t*>(acc[i]);
    } else {
      for (std::size_t i = 0; i < rows.size(); ++i) *reinterpret_cast<std::int64_t*>(acc[i]) += signs[i];
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view, ColumnBuilder& out) const override {
    out.append(load<std::int64_t>(acc));
    return ok();
  }
  Status merge(std::byte* acc, std::string*, const std::byte* other, std::string_view) const override {
    store(acc, load<std::int64_t>(acc) + load<std::int64_t>(other));
    return ok();
  }
};

class CountValues final : public Aggregate {
 public:
  std::string_view name() const override { return "COUNT"; }
  Type result() const override { return Type::big_int().not_null(); }
  std::uint32_t width() const override { return 8; }
  Status update(Args args, Rows rows, Accs acc, Signs signs, Blobs) const override {
    const Column& c = *args[0];
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!c.is_null(rows[i])) *reinterpret_cast<std::int64_t*>(acc[i]) += sign_of(signs, i);
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view, ColumnBuilder& out) const override {
    out.append(load<std::int64_t>(acc));
    return ok();
  }
  Status merge(std::byte* acc, std::string*, const std::byte* other, std::string_view) const override {
    store(acc, load<std::int64_t>(acc) + load<std::int64_t>(other));
    return ok();
  }
};

/// SUM and AVG share their accumulator: the sum, wide, and how many values are in it.
template <class Wide>
struct SumAcc {
  Wide sum;
  std::int64_t count;
};
/// DECIMAL: beyond 38 digits the sum is lost, and null, as Flink's DecimalData.
struct DecimalSumAcc {
  std::uint64_t low;
  std::int64_t high;
  std::int64_t count;
  std::int64_t overflowed;
  Int128 sum() const { return static_cast<Int128>((static_cast<unsigned __int128>(static_cast<std::uint64_t>(high)) << 64) | low); }
  void set(Int128 v) {
    low = static_cast<std::uint64_t>(v);
    high = static_cast<std::int64_t>(v >> 64);
  }
};

template <class T, bool kAverage>
class NumberSum final : public Aggregate {
 public:
  static constexpr bool kFloating = std::is_floating_point_v<T>;
  using Wide = std::conditional_t<kFloating, double, std::uint64_t>;  // unsigned: integers wrap
  explicit NumberSum(Type arg) : result_(arg) {}
  std::string_view name() const override { return kAverage ? "AVG" : "SUM"; }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return sizeof(SumAcc<Wide>); }
  Status update(Args args, Rows rows, Accs acc, Signs signs, Blobs) const override {
    const Column& c = *args[0];
    const auto values = c.values<T>();
    if (signs.empty() && !c.has_nulls()) {
      for (std::size_t i = 0; i < rows.size(); ++i) add(acc[i], values[rows[i]], 1);
      return ok();
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!c.is_null(rows[i])) add(acc[i], values[rows[i]], sign_of(signs, i));
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view, ColumnBuilder& out) const override {
    const auto a = load<SumAcc<Wide>>(acc);
    if (a.count <= 0) {
      out.append_null();
    } else if constexpr (kFloating) {
      out.append(static_cast<T>(kAverage ? a.sum / static_cast<double>(a.count) : a.sum));
    } else {
      const auto sum = static_cast<std::int64_t>(a.sum);
      out.append(static_cast<T>(kAverage ? sum / a.count : sum));
    }
    return ok();
  }
  Status merge(std::byte* acc, std::string*, const std::byte* other, std::string_view) const override {
    auto a = load<SumAcc<Wide>>(acc);
    const auto b = load<SumAcc<Wide>>(other);
    a.sum += b.sum;
    a.count += b.count;
    store(acc, a);
    return ok();
  }

 private:
  static void add(std::byte* p, T v, std::int64_t sign) {
    auto* a = reinterpret_cast<SumAcc<Wide>*>(p);
    if constexpr (kFloating) a->sum += static_cast<double>(v) * static_cast<double>(sign);
    else a->sum += static_cast<std::uint64_t>(static_cast<std::int64_t>(v)) * static_cast<std::uint64_t>(sign);
    a->count += sign;
  }
  Type result_;
};

template <bool kAverage>
class DecimalSum final : public Aggregate {
 public:
  explicit DecimalSum(Type arg)
      : scale_(arg.scale), result_(Type::decimal(38, kAverage ? std::max(6, arg.scale) : arg.scale).as_nullable(arg.nullable)) {}
  std::string_view name() const override { return kAverage ? "AVG" : "SUM"; }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return sizeof(DecimalSumAcc); }
  Status update(Args args, Rows rows, Accs acc, Signs signs, Blobs) const override {
    const Column& c = *args[0];
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (c.is_null(rows[i])) continue;
      auto* a = reinterpret_cast<DecimalSumAcc*>(acc[i]);
      const std::int64_t sign = sign_of(signs, i);
      Int128 sum = 0;
      // Values have at most 38 digits, so their negative exists.
      if (__builtin_add_overflow(a->sum(), c.value<Int128>(rows[i]) * sign, &sum)) a->overflowed = 1;
      a->set(sum);
      a->count += sign;
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view, ColumnBuilder& out) const override {
    const auto a = load<DecimalSumAcc>(acc);
    std::optional<Int128> v;
    if (a.count > 0 && a.overflowed == 0) {
      if constexpr (kAverage) v = decimal_divide({a.sum(), scale_}, {a.count, 0}, 38, result_.scale);
      else v = fits_precision(a.sum(), 38) ? std::optional(a.sum()) : std::nullopt;
    }
    if (v) out.append(*v); else out.append_null();
    return ok();
  }
  Status merge(std::byte* acc, std::string*, const std::byte* other, std::string_view) const override {
    auto a = load<DecimalSumAcc>(acc);
    const auto b = load<DecimalSumAcc>(other);
    Int128 sum = 0;
    if (__builtin_add_overflow(a.sum(), b.sum(), &sum)) a.overflowed = 1;
    a.set(sum);
    a.count += b.count;
    a.overflowed |= b.overflowed;
    store(acc, a);
    return ok();
  }

 private:
  int scale_;
  Type result_;
};

/// MIN / MAX over inserts, fixed-width values: the extreme so far, in place.
template <class T, bool kGreatest>
class Extreme final : public Aggregate {
 public:
  explicit Extreme(Type arg) : result_(arg) {}
  std::string_view name() const override { return kGreatest ? "MAX" : "MIN"; }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return 8 + (sizeof(T) + 7) / 8 * 8; }
  Status update(Args args, Rows rows, Accs acc, Signs, Blobs) const override {
    const Column& c = *args[0];
    const auto values = c.values<T>();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (c.is_null(rows[i])) continue;
      auto* present = reinterpret_cast<std::int64_t*>(acc[i]);
      const T v = values[rows[i]];
      const T old = load<T>(acc[i] + 8);
      if (*present != 0 && !(kGreatest ? v > old : v < old)) continue;
      *present = 1;
      store(acc[i] + 8, v);
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view, ColumnBuilder& out) const override {
    if (load<std::int64_t>(acc) == 0) out.append_null(); else out.append(load<T>(acc + 8));
    return ok();
  }
  Status merge(std::byte* acc, std::string*, const std::byte* other, std::string_view) const override {
    if (load<std::int64_t>(other) == 0) return ok();
    const T v = load<T>(other + 8);
    const T old = load<T>(acc + 8);
    if (load<std::int64_t>(acc) != 0 && !(kGreatest ? v > old : v < old)) return ok();
    std::memcpy(acc, other, width());
    return ok();
  }

 private:
  Type result_;
};

/// MIN / MAX over inserts, texts: the extreme so far is the blob, the place tells whether there is one.
template <bool kGreatest>
class TextExtreme final : public Aggregate {
 public:
  explicit TextExtreme(Type arg) : result_(arg) {}
  std::string_view name() const override { return kGreatest ? "MAX" : "MIN"; }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return 8; }
  bool needs_blob() const override { return true; }
  Status update(Args args, Rows rows, Accs acc, Signs, Blobs blobs) const override {
    const Column& c = *args[0];
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (c.is_null(rows[i])) continue;
      auto* present = reinterpret_cast<std::int64_t*>(acc[i]);
      const std::string_view v = c.text(rows[i]);
      if (*present != 0 && !(kGreatest ? v > *blobs[i] : v < *blobs[i])) continue;
      *present = 1;
      blobs[i]->assign(v);
    }
    return ok();
  }
  Status value(const std::byte* acc, std::string_view blob, ColumnBuilder& out) const override {
    if (load<std::int64_t>(acc) == 0) out.append_null(); else out.append_text(blob);
    return ok();
  }
  Status merge(std::byte* acc, std::string* blob, const std::byte* other, std::string_view other_blob) const override {
    if (load<std::int64_t>(other) == 0) return ok();
    if (load<std::int64_t>(acc) != 0 && !(kGreatest ? other_blob > *blob : other_blob < *blob)) return ok();
    std::memcpy(acc, other, width());
    blob->assign(other_blob);
    return ok();
  }

 private:
  Type result_;
};

/// MIN / MAX over a retracting input: all values with their counts.
class RetractableExtreme final : public Aggregate {
 public:
  RetractableExtreme(bool greatest, Type arg) : greatest_(greatest), result_(arg), key_size_(ordered_key_size(arg)) {}
  std::string_view name() const override { return greatest_ ? "MAX" : "MIN"; }
  Type result() const override { return result_; }
  std::uint32_t width() const override { return 0; }
  int extreme_of_all() const override { return greatest_ ? 1 : -1; }
  bool needs_blob() const override { return true; }
  Status update(Args args, Rows rows, Accs, Signs signs, Blobs blobs) const override {
    std::string key;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (args[0]->is_null(rows[i])) continue;
      key.clear();
      append_ordered_key(*args[0], rows[i], key);
      SortedCounts(*blobs[i], key_size_).add(key, sign_of(signs, i));
    }
    return ok();
  }
  Status value(const std::byte*, std::string_view blob, ColumnBuilder& out) const override {
    std::string_view key;
    if (SortedCounts::extreme(blob, key_size_, greatest_, key)) append_ordered_value(result_, key, out); else out.append_null();
    return ok();
  }
  Status merge(std::byte*, std::string* blob, const std::byte*, std::string_view other_blob) const override {
    SortedCounts counts(*blob, key_size_);
    SortedCounts::for_each(other_blob, key_size_, [&](std::string_view key, std::int64_t count) { counts.add(key, count); });
    return ok();
  }

 private:
  bool greatest_;
  Type result_;
  std::size_t key_size_;
};

/// Passes a value on to `inner` when the first row with it comes, and takes it back when the last one goes.
class Distinct final : public Aggregate {
 public:
  Distinct(AggregatePtr inner, const Type& arg) : inner_(std::move(inner)), arg_(arg), key_size_(ordered_key_size(arg)) {}
  std::string_view name() const override { return inner_->name(); }
  Type result() const override { return inner_->result(); }
  std::uint32_t width() const override { return inner_->width(); }
  bool needs_blob() const override { return true; }
  AggregatePtr without_distinct() const override { return inner_; }
  Status update(Args args, Rows rows, Accs acc, Signs signs, Blobs blobs) const override {
    std::vector<std::uint32_t> changed;
    std::vector<std::byte*> changed_acc;
    std::vector<std::int8_t> changed_signs;
    std::string key;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (args[0]->is_null(rows[i])) continue;
      key.clear();
      append_ordered_key(*args[0], rows[i], key);
      const std::int64_t sign = sign_of(signs, i);
      const std::int64_t count = SortedCounts(*blobs[i], key_size_).add(key, sign);
      if (count != (sign > 0 ? 1 : 0)) continue;
      changed.push_back(rows[i]);
      changed_acc.push_back(acc[i]);
      changed_signs.push_back(static_cast<std::int8_t>(sign));
    }
    return inner_->update(args, changed, changed_acc, changed_signs, {});
  }
  Status value(const std::byte* acc, std::string_view, ColumnBuilder& out) const override { return inner_->value(acc, {}, out); }
  Status merge(std::byte* acc, std::string* blob, const std::byte*, std::string_view other_blob) const override {
    // Values that both have count once: what the other side adds is worked out anew.
    ColumnBuilder values(arg_);
    std::vector<std::uint32_t> rows;
    std::vector<std::int8_t> signs;
    SortedCounts counts(*blob, key_size_);
    SortedCounts::for_each(other_blob, key_size_, [&](std::string_view key, std::int64_t count) {
      const std::int64_t after = counts.add(key, count);
      const bool was = after - count > 0;
      if (was == (after > 0)) return;
      append_ordered_value(arg_, key, values);
      rows.push_back(static_cast<std::uint32_t>(rows.size()));
      signs.push_back(was ? -1 : 1);
    });
    const ColumnPtr column = values.finish();
    const std::vector<std::byte*> accs(rows.size(), acc);
    return rows.empty() ? ok() : inner_->update({&column, 1}, rows, accs, signs, {});
  }

 private:
  AggregatePtr inner_;
  Type arg_;
  std::size_t key_size_;
};

template <bool kAverage>
AggregatePtr make_number_sum(const Type& arg) {
  switch (arg.id) {
    case TypeId::kTinyInt: return std::make_shared<NumberSum<std::int8_t, kAverage>>(arg);
    case TypeId::kSmallInt: return std::make_shared<NumberSum<std::int16_t, kAverage>>(arg);
    case TypeId::kInteger: return std::make_shared<NumberSum<std::int32_t, kAverage>>(arg);
    case TypeId::kFloat: return std::make_shared<NumberSum<float, kAverage>>(arg);
    case TypeId::kDouble: return std::make_shared<NumberSum<double, kAverage>>(arg);
    case TypeId::kDecimal: return std::make_shared<DecimalSum<kAverage>>(arg);
    default: return std::make_shared<NumberSum<std::int64_t, kAverage>>(arg);
  }
}

template <bool kGreatest>
AggregatePtr make_insert_extreme(const Type& arg) {
  if (arg.is_variable()) return std::make_shared<TextExtreme<kGreatest>>(arg);
  return with_representation(arg.id, [&]<class T>(std::type_identity<T>) -> AggregatePtr { return std::make_shared<Extreme<T, kGreatest>>(arg); });
}

}  // namespace

AggregatePtr make_count_rows() { return std::make_shared<CountRows>(); }
AggregatePtr make_count_values() { return std::make_shared<CountValues>(); }
AggregatePtr make_sum(const Type& arg) { return make_number_sum<false>(arg); }
AggregatePtr make_average(const Type& arg) { return make_number_sum<true>(arg); }
AggregatePtr make_extreme(bool greatest, const Type& arg, bool retracting) {
  if (retracting) return std::make_shared<RetractableExtreme>(greatest, arg);
  return greatest ? make_insert_extreme<true>(arg) : make_insert_extreme<false>(arg);
}
AggregatePtr make_distinct(AggregatePtr inner, const Type& arg) { return std::make_shared<Distinct>(std::move(inner), arg); }

}  // namespace supyo::expr
