#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::connect {

/// The files of a table: one, or all below a directory, in the order of their paths. Hidden names ('.', '_') are left out, as Flink does.
class FileWalk {
 public:
  FileWalk(env::Files& files, std::string path) : files_(files), path_(std::move(path)) {}
  /// The first file behind `last` in that order; nothing when there is none (yet).
  Result<std::optional<std::string>> after(const std::string& last);

 private:
  env::Files& files_;
  std::string path_;
  std::vector<std::string> known_;   // as last listed
};

/// A position in a table of files.
struct FilePosition {
  std::string file;        ///< empty: before the first
  std::uint64_t at = 0;    ///< byte, or row
};
std::string encode_position(const FilePosition& p);
/// Errors: kDamaged.
Result<FilePosition> decode_position(std::string_view text, const std::string& table);

}  // namespace supyo::connect
