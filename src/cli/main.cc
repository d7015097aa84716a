#include <malloc.h>
#include <unistd.h>

#include <string_view>

#include "cli/context.h"

namespace {

// Runs before every other initialiser: the rest of the binary is compiled for x86-64-v3 and would end in "illegal instruction".
__attribute__((constructor(101))) void check_processor() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v3")) return;
  static constexpr char kText[] =
      "SUPYO-1009 NOT_ALLOWED: this processor is too old: Supyo needs AVX2, BMI2 and FMA (x86-64-v3; Intel Haswell or AMD Excavator, 2015, or newer)\n"
      "  hint: build with -DSUPYO_MARCH=x86-64-v2, or run it elsewhere\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kText, sizeof kText - 1);
  ::_exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  // Buffers of some megabytes come and go with every epoch. By default glibc gives each back to the kernel, which then clears its pages
  // again: a tenth of a fast job's time.
  ::mallopt(M_MMAP_THRESHOLD, 256 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  return supyo::cli::run_command_line(argc, argv);
}
