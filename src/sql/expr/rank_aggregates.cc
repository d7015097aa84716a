#include "sql/expr/rank_aggregates.h"

#include <cstring>

namespace supyo::expr {
namespace {

struct Acc {
  std::int64_t rows = 0;
  std::int64_t rank = 0;
  std::int64_t time = 0;
  std::int64_t null_time = 0;
};
static_assert(sizeof(Acc) % 8 == 0);

class Rank final : public Aggregate {
 public:
  explicit Rank(bool dense) : dense_(dense) {}
  std::string_view name() const override { return dense_ ? "DENSE_RANK" : "RANK"; }
  Type result() const override { return Type::big_int().not_null(); }
  std::uint32_t width() const override { return sizeof(Acc); }

  Status update(std::span<const ColumnPtr> args, std::span<const std::uint32_t> rows, std::span<std::byte* const> acc, std::span<const std::int8_t>, std::span<std::string* const>) const override {
    const Column& times = *args.front();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Acc a;
      std::memcpy(&a, acc[i], sizeof a);
      const bool null = times.is_null(rows[i]);
      const std::int64_t time = null ? 0 : times.integer(rows[i]);
      if (a.rows == 0 || time != a.time || static_cast<std::int64_t>(null) != a.null_time) a.rank = dense_ ? a.rank + 1 : a.rows + 1;
      a.time = time;
      a.null_time = null ? 1 : 0;
      ++a.rows;
      std::memcpy(acc[i], &a, sizeof a);
    }
    return ok();
  }

  Status value(const std::byte* acc, std::string_view, ColumnBuilder& out) const override {
    Acc a;
    std::memcpy(&a, acc, sizeof a);
    out.append(a.rank);
    return ok();
  }

 private:
  bool dense_;
};

}  // namespace

AggregatePtr make_rank(bool dense) { return std::make_shared<Rank>(dense); }

}  // namespace supyo::expr
