#pragma once
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace supyo::slo {

/// For tests only: files in a directory of their own, and promtool (Debian: prometheus; scripts/packages.txt) over them.
class Promtool {
 public:
  explicit Promtool(const std::string& name) : directory_(std::filesystem::temp_directory_path() / ("supyo-promtool-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(directory_);
  }
  ~Promtool() { std::filesystem::remove_all(directory_); }
  Promtool(const Promtool&) = delete;
  Promtool& operator=(const Promtool&) = delete;

  static bool is_there() { return std::system("command -v promtool >/dev/null 2>&1") == 0; }

  void write(const std::string& file, const std::string& text) const { std::ofstream(directory_ / file) << text; }

  /// What promtool says, and whether its status was 0.
  struct Said {
    bool good = false;
    std::string text;
  };
  Said run(const std::string& arguments) const { return sh("promtool " + arguments); }
  Said sh(const std::string& command) const {
    Said said;
    FILE* pipe = ::popen(("cd '" + directory_.string() + "' && " + command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return said;
    char chunk[4096];
    for (std::size_t n = 0; (n = std::fread(chunk, 1, sizeof chunk, pipe)) > 0;) said.text.append(chunk, n);
    said.good = ::pclose(pipe) == 0;
    return said;
  }

 private:
  std::filesystem::path directory_;
};

}  // namespace supyo::slo
