#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"

namespace re2 {
class RE2;
}

namespace supyo::connect {

/// A position in a table of files.
struct FilePosition {
  std::string file;        ///< the one that is read, or was last; empty: before the first
  std::uint64_t at = 0;    ///< byte, or row
  /// Of the paths of all files that were begun (hash_bytes), so that one that comes later is read whatever its name. Absent in what an older version wrote: it read in the order of paths.
  std::optional<std::set<std::uint64_t>> begun = std::set<std::uint64_t>();
};
std::string encode_position(const FilePosition& p);
/// Errors: kDamaged.
Result<FilePosition> decode_position(std::string_view text, const std::string& table);

/// The files of a table: one, or all below a directory, numbers in their names taken as numbers (part-2 before part-10). Hidden names ('.', '_') are left out, as Flink does. A file is given once; one that was
/// removed is forgotten, and is a new one if it comes again.
class FileWalk {
 public:
  /// `wanted`: a file whose whole path does not match it is none of the table's; empty: all are.
  FileWalk(env::Files& files, std::string path, const std::string& wanted);
  ~FileWalk();
  /// Goes on behind what `position` has begun.
  void resume(FilePosition position) { position_ = std::move(position); }
  /// The first file that was not begun, and from now on is: position() names it, at 0. Nothing when there is none (yet).
  Result<std::optional<std::string>> next();
  const FilePosition& position() const { return position_; }
  void at(std::uint64_t at) { position_.at = at; }

 private:
  Status look();

  env::Files& files_;
  std::string path_;
  std::unique_ptr<re2::RE2> wanted_;
  FilePosition position_;
  std::vector<std::string> waiting_;   // not begun as of the last look, the next at the end
};

}  // namespace supyo::connect
