#include <array>

#include "core/base/hash.h"
#include "core/env/env.h"
#include "data/types/row_codec.h"
#include "sql/expr/kernel.h"
#include "sql/expr/random.h"
#include "sql/expr/registration.h"

namespace supyo::expr {
namespace {

using Args = std::span<const ColumnPtr>;

std::unexpected<Error> bad_bound(std::int32_t bound) { return arithmetic_error(fmt::format("RAND_INTEGER below {}: the bound must be positive", bound)); }

/// Two words for each row, no two rows' the same: 128 bits are drawn once a batch, since the system's random numbers are a call of it each.
class Draws {
 public:
  static Result<Draws> of(const EvalContext& ctx) {
    if (ctx.random == nullptr) return fail(ErrorCode::kInternal, "random values where there is no source of them");
    return Draws{{ctx.random->next_u64(), ctx.random->next_u64()}};
  }
  std::uint64_t word(std::size_t row, std::size_t which = 0) const { return hash_u64(seeds[which] + row * 0x9e3779b97f4a7c15ULL); }

  std::array<std::uint64_t, 2> seeds;
};

/// [0, 1), in steps of 2^-53.
double as_double(std::uint64_t word) { return static_cast<double>(word >> 11) * 0x1p-53; }
std::int32_t below(std::int32_t bound, std::uint64_t word) { return static_cast<std::int32_t>((static_cast<unsigned __int128>(word) * static_cast<std::uint64_t>(bound)) >> 64); }

/// Version 4, variant of RFC 9562.
void append_uuid(std::string& out, std::uint64_t high, std::uint64_t low) {
  high = (high & ~0xf000ULL) | 0x4000ULL;
  low = (low & ~(0xc000ULL << 48)) | (0x8000ULL << 48);
  fmt::format_to(std::back_inserter(out), "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffffffffffffULL);
}

// ---- a value of its own for each row

Result<ColumnPtr> draw_double(Args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  SUPYO_ASSIGN(const Draws draws, Draws::of(ctx));
  FixedOutput<double> out(rows);
  for (std::size_t i = 0; i < rows; ++i) out.set(i, as_double(draws.word(i)));
  return out.finish(result);
}

Result<ColumnPtr> draw_integer(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  SUPYO_ASSIGN(const Draws draws, Draws::of(ctx));
  std::size_t row = 0;
  return map_rows<std::int32_t>(args, result, rows, [&](std::int32_t bound) -> Result<std::int32_t> {
    if (bound <= 0) return bad_bound(bound);
    return below(bound, draws.word(row++));
  });
}

Result<ColumnPtr> draw_uuid(Args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  SUPYO_ASSIGN(const Draws draws, Draws::of(ctx));
  TextOutput out(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    append_uuid(out.bytes(), draws.word(i), draws.word(i, 1));
    out.end_row();
  }
  return out.finish(result);
}

// ---- with a seed: java.util.Random's numbers, as in Flink

/// Its documented generator: x * a + c modulo 2^48, of which the upper bits are given.
class JavaRandom {
 public:
  explicit JavaRandom(std::int64_t seed) : state_((static_cast<std::uint64_t>(seed) ^ kA) & kMask) {}
  /// As if `n` steps had been made.
  void skip(std::uint64_t n) {
    for (std::uint64_t a = kA, c = kC; n != 0; n >>= 1) {
      if ((n & 1) != 0) state_ = (state_ * a + c) & kMask;
      c = (c * (a + 1)) & kMask;
      a = (a * a) & kMask;
    }
  }
  double next_double() {
    const auto high = static_cast<std::int64_t>(next(26)) << 27;
    return static_cast<double>(high + next(27)) * 0x1p-53;
  }
  std::int32_t next_below(std::int32_t bound) {
    std::int32_t bits = next(31);
    if ((bound & (bound - 1)) == 0) return static_cast<std::int32_t>((static_cast<std::int64_t>(bound) * bits) >> 31);
    while (bits - bits % bound > INT32_MAX - bound + 1) bits = next(31);   // what would make small numbers more likely
    return bits % bound;
  }

 private:
  static constexpr std::uint64_t kA = 0x5DEECE66DULL, kC = 0xB, kMask = (1ULL << 48) - 1;
  std::int32_t next(int bits) {
    state_ = (state_ * kA + kC) & kMask;
    return static_cast<std::int32_t>(state_ >> (48 - bits));
  }
  std::uint64_t state_;
};

/// The next numbers of a constant seed: row n of the operator has the n-th. A step of the generator a number, two for a DOUBLE.
template <bool kSequence>
Result<ColumnPtr> seeded_rand(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  std::uint64_t row = ctx.first_row;
  return map_rows<std::int32_t>(args, result, rows, [&](std::int32_t seed) -> Result<double> {
    JavaRandom random(seed);
    if constexpr (kSequence) random.skip(2 * row++);
    return random.next_double();
  });
}

template <bool kSequence>
Result<ColumnPtr> seeded_rand_integer(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  std::uint64_t row = ctx.first_row;
  return map_rows<std::int32_t, std::int32_t>(args, result, rows, [&](std::int32_t seed, std::int32_t bound) -> Result<std::int32_t> {
    if (bound <= 0) return bad_bound(bound);
    JavaRandom random(seed);
    if constexpr (kSequence) random.skip(row++);
    return random.next_below(bound);
  });
}

// ---- of a row: the same for the same content. Arguments: the call's number, its bound if it has one, then what it is made of.

std::vector<std::uint64_t> words_of(Args args, std::size_t from, std::size_t rows, const EvalContext& ctx) {
  std::vector<std::uint64_t> words(rows);
  if (args.size() > from) hash_rows(args.subspan(from), rows, words);
  for (std::size_t i = 0; i < rows; ++i) words[i] = hash_combine(hash_combine(ctx.salt, static_cast<std::uint64_t>(args[0]->value<std::int64_t>(i))), words[i]);
  return words;
}

Result<ColumnPtr> rand_of_row(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const auto words = words_of(args, 1, rows, ctx);
  FixedOutput<double> out(rows);
  for (std::size_t i = 0; i < rows; ++i) out.set(i, as_double(words[i]));
  return out.finish(result);
}

Result<ColumnPtr> rand_integer_of_row(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const auto words = words_of(args, 2, rows, ctx);
  FixedOutput<std::int32_t> out(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    if (args[1]->is_null(i)) {
      out.set_null(i);
      continue;
    }
    const std::int32_t bound = args[1]->value<std::int32_t>(i);
    if (bound <= 0) return bad_bound(bound);
    out.set(i, below(bound, words[i]));
  }
  return out.finish(result);
}

Result<ColumnPtr> uuid_of_row(Args args, const Type& result, std::size_t rows, const EvalContext& ctx) {
  const auto words = words_of(args, 1, rows, ctx);
  TextOutput out(rows);
  for (const std::uint64_t w : words) {
    append_uuid(out.bytes(), w, hash_combine(ctx.salt, w));
    out.end_row();
  }
  return out.finish(result);
}

// Not for SQL: settle_random() puts them in.
const Function kRandOfSeed{.name = "RAND", .kernel = seeded_rand<false>, .signature = {}, .help = {}};
const Function kRandIntegerOfSeed{.name = "RAND_INTEGER", .kernel = seeded_rand_integer<false>, .signature = {}, .help = {}};
const Function kRandOfRow{.name = "RAND_OF_ROW", .kernel = rand_of_row, .signature = {}, .help = {}, .reads_context = true};
const Function kRandIntegerOfRow{.name = "RAND_INTEGER_OF_ROW", .kernel = rand_integer_of_row, .signature = {}, .help = {}, .reads_context = true};
const Function kUuidOfRow{.name = "UUID_OF_ROW", .kernel = uuid_of_row, .signature = {}, .help = {}, .reads_context = true};

bool is_constant(const ExprPtr& e) { return columns_read(*e).empty(); }

}  // namespace

ExprPtr settle_random(const ExprPtr& e, bool of_row, const std::vector<Type>& columns, std::int64_t& calls) {
  std::vector<ExprPtr> args;
  bool changed = false;
  for (const ExprPtr& a : e->args) {
    args.push_back(settle_random(a, of_row, columns, calls));
    changed |= args.back() != a;
  }
  const std::string_view name = e->kind == Expr::Kind::kCall && !e->function->deterministic ? std::string_view(e->function->name) : std::string_view();
  const bool integer = name == "RAND_INTEGER", uuid = name == "UUID";
  if (name == "RAND" || integer || uuid) {
    const bool seeded = args.size() == (integer ? 2 : 1) && !uuid;
    if (seeded && !is_constant(args[0])) return call(integer ? &kRandIntegerOfSeed : &kRandOfSeed, std::move(args), e->type);
    if (!of_row) return e;
    std::vector<ExprPtr> made = {literal({.type = Type::big_int().not_null(), .data = seeded ? std::int64_t{0} : ++calls})};
    if (integer) made.push_back(args.back());
    if (seeded) made.push_back(args[0]);
    for (std::size_t c = 0; c < columns.size(); ++c) made.push_back(column(c, columns[c]));
    return call(uuid ? &kUuidOfRow : integer ? &kRandIntegerOfRow : &kRandOfRow, std::move(made), e->type);
  }
  if (!changed) return e;
  auto copy = std::make_shared<Expr>(*e);
  copy->args = std::move(args);
  return copy;
}

void register_random(Registrar& r) {
  const auto add = [&](const char* name, Kernel kernel, std::vector<Type> args, Type result, const char* signature, const char* help, Shape shape = {}) {
    r.add({.name = name, .kernel = kernel, .deterministic = false, .signature = signature, .help = help, .reads_context = true}, takes(std::move(args), std::move(result), shape));
  };
  const Type i = Type::integer(), d = Type::double_();
  add("RAND", draw_double, {}, d, "RAND() -> DOUBLE", "A random number from 0 to below 1.", {.never_null = true});
  add("RAND", seeded_rand<true>, {i}, d, "RAND(INT) -> DOUBLE", "The next number of a seed: the same sequence in every run, row by row in each shard.");
  add("RAND_INTEGER", draw_integer, {i}, i, "RAND_INTEGER(INT) -> INT", "A random number from 0 to below the argument, which must be positive.");
  add("RAND_INTEGER", seeded_rand_integer<true>, {i, i}, i, "RAND_INTEGER(INT, INT) -> INT", "The next number of a seed, the first argument, below the second one.");
  add("UUID", draw_uuid, {}, Type::string(), "UUID() -> STRING", "A random UUID (version 4).", {.never_null = true});
}

}  // namespace supyo::expr
