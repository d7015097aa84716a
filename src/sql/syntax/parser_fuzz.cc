#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/check.h"
#include "sql/syntax/diagnostic.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/printer.h"

/// Any bytes: no crash, an error always has a place, and what parses prints to the same tree.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto script = supyo::syntax::parse_script(text);
  (void)supyo::syntax::needs_more_input(text);
  if (!script) {
    SUPYO_CHECK(script.error().position.has_value());
    SUPYO_CHECK(!supyo::syntax::render_diagnostic(text, script.error()).empty());
    return 0;
  }
  for (const auto& statement : *script) {
    const std::string printed = supyo::syntax::print(statement);
    const auto again = supyo::syntax::parse_statement(printed);
    SUPYO_CHECK(again.has_value());
    SUPYO_CHECK(*again == statement);
    SUPYO_CHECK(supyo::syntax::print(*again) == printed);
  }
  return 0;
}
