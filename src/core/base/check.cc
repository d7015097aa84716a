#include "core/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace supyo {

void check_failed(const char* file, int line, std::string_view expression, const std::string& values) {
  std::fprintf(stderr, "SUPYO-9001 INTERNAL: check failed: %.*s%s%s at %s:%d\n", static_cast<int>(expression.size()),
               expression.data(), values.empty() ? "" : ": ", values.c_str(), file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace supyo
