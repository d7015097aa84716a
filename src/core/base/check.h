#pragma once
#include <string>
#include <string_view>

namespace supyo {

/// Prints the failed check, both values, file and line, and aborts. Bugs only: never for bad input.
[[noreturn]] void check_failed(const char* file, int line, std::string_view expression, const std::string& values);

namespace check_detail {
template <class T>
std::string show(const T& value) {
  if constexpr (requires { std::to_string(value); }) return std::to_string(value);
  else if constexpr (requires { std::string(value); }) return std::string(value);
  else return "?";
}
}  // namespace check_detail
}  // namespace supyo

/// An invariant of our own code. On in release builds.
#define SUPYO_CHECK(condition)                                                       \
  do {                                                                               \
    if (!(condition)) [[unlikely]] ::supyo::check_failed(__FILE__, __LINE__, #condition, {}); \
  } while (false)

#define SUPYO_CHECK_OP(a, op, b)                                                     \
  do {                                                                               \
    auto&& supyo_a = (a);                                                            \
    auto&& supyo_b = (b);                                                            \
    if (!(supyo_a op supyo_b)) [[unlikely]]                                          \
      ::supyo::check_failed(__FILE__, __LINE__, #a " " #op " " #b,                   \
                            ::supyo::check_detail::show(supyo_a) + " vs " + ::supyo::check_detail::show(supyo_b)); \
  } while (false)
#define SUPYO_CHECK_EQ(a, b) SUPYO_CHECK_OP(a, ==, b)
#define SUPYO_CHECK_LT(a, b) SUPYO_CHECK_OP(a, <, b)
#define SUPYO_CHECK_LE(a, b) SUPYO_CHECK_OP(a, <=, b)
