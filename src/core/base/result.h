#pragma once
#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "core/base/error_codes.h"

namespace supyo {

/// A place in a text that the user wrote: one-based line and column, length in characters.
struct SourcePosition {
  int line = 0;
  int column = 0;
  int length = 1;
};

/// What went wrong (`message`), where (`position`, and file/offset inside the message) and what to do (`hint`).
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string hint = {};
  std::optional<SourcePosition> position = std::nullopt;

  /// "SUPYO-2003 UNKNOWN_COLUMN: ... (line 3, column 8)\n  hint: ..."
  std::string to_string() const;
  /// The same error with `context` before its message: "reading orders.csv: ...".
  Error with_context(std::string_view context) const;
};

/// The result of anything that can fail. Never discarded silently.
template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline Status ok() { return {}; }
inline std::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint = {}) {
  return std::unexpected<Error>(Error{code, std::move(message), std::move(hint)});
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace supyo

#define SUPYO_CONCAT_INNER(a, b) a##b
#define SUPYO_CONCAT(a, b) SUPYO_CONCAT_INNER(a, b)

/// Returns the error of `expr` (a Status or Result) to the caller, or goes on.
#define SUPYO_TRY(expr)                                                                \
  do {                                                                                 \
    if (auto supyo_status = (expr); !supyo_status) [[unlikely]]                        \
      return std::unexpected<::supyo::Error>(std::move(supyo_status).error());         \
  } while (false)

/// `SUPYO_ASSIGN(auto x, f());` binds the value of f() or returns its error.
#define SUPYO_ASSIGN(decl, expr) SUPYO_ASSIGN_IMPL(SUPYO_CONCAT(supyo_result_, __COUNTER__), decl, expr)
#define SUPYO_ASSIGN_IMPL(tmp, decl, expr)                                             \
  auto tmp = (expr);                                                                   \
  if (!tmp) [[unlikely]]                                                               \
    return std::unexpected<::supyo::Error>(std::move(tmp).error());                    \
  decl = *std::move(tmp)
