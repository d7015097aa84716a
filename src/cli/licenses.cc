#include "cli/context.h"

namespace supyo::cli {

std::string_view licenses_text() {
  return
      "Supyo is licensed under the Apache License, Version 2.0.\n"
      "\n"
      "In the program, or loaded by it from the system:\n"
      "  {fmt}           MIT                        https://github.com/fmtlib/fmt\n"
      "  simdjson        Apache-2.0                 https://github.com/simdjson/simdjson\n"
      "  librdkafka      BSD-2-Clause               https://github.com/confluentinc/librdkafka\n"
      "  ncurses         MIT (X11)                  https://invisible-island.net/ncurses\n"
      "  RE2             BSD-3-Clause               https://github.com/google/re2\n"
      "  yaml-cpp        MIT                        https://github.com/jbeder/yaml-cpp\n"
      "  nlohmann/json   MIT                        https://github.com/nlohmann/json\n"
      "  OpenSSL         Apache-2.0                 https://www.openssl.org\n"
      "  zlib            Zlib                       https://zlib.net\n"
      "  Zstandard       BSD-3-Clause               https://github.com/facebook/zstd\n"
      "  Boost           BSL-1.0                    https://www.boost.org\n"
      "  CLI11           BSD-3-Clause               https://github.com/CLIUtils/CLI11\n"
      "  libstdc++       GPL-3.0 with the GCC Runtime Library Exception\n"
      "In the dashboard (web/):\n"
      "  Preact          MIT                        https://preactjs.com\n"
      "  uPlot           MIT                        https://github.com/leeoniya/uPlot\n"
      "Loaded only when Parquet is used:\n"
      "  Apache Arrow    Apache-2.0                 https://arrow.apache.org\n"
      "\n"
      "The full texts of Debian's packages are under /usr/share/doc/PACKAGE/copyright.\n";
}

}  // namespace supyo::cli
