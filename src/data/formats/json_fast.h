#pragma once
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/formats/cell.h"
#include "data/formats/codecs.h"

namespace supyo::formats {

/// A key as it stands in a record, with its closing quote. Up to 16 bytes compare as two numbers: most keys do.
struct JsonKey {
  JsonKey() = default;
  JsonKey(std::string_view name, int t) : quoted(std::string(name) + '"'), target(t) {
    for (std::size_t w = 0; w < 2; ++w) {
      const std::size_t n = quoted.size() <= 8 * w ? 0 : std::min<std::size_t>(quoted.size() - 8 * w, 8);
      std::memcpy(&word[w], quoted.data() + 8 * w, n);
      mask[w] = n == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * n)) - 1;
    }
  }
  /// `at`: behind the opening quote, and followed by as many readable bytes as the longest key has.
  bool is(const char* at) const {
    std::uint64_t found[2];
    std::memcpy(found, at, sizeof found);
    return (((found[0] ^ word[0]) & mask[0]) | ((found[1] ^ word[1]) & mask[1])) == 0 &&
           (quoted.size() <= 16 || std::memcmp(at + 16, quoted.data() + 16, quoted.size() - 16) == 0);
  }
  std::string quoted = "\"";
  std::uint64_t word[2] = {'"', 0};
  std::uint64_t mask[2] = {0xff, 0};   ///< zero: no such bytes
  int target = -1;
};

/// Reads records as most producers write them in one pass, without an index of the record: plain values of the declared types. What it reads, the general
/// decoder would read to the same row; of everything else, wrong or only unusual, it says nothing but that it is not sure, and the general decoder decides.
/// Rows are staged, and go into the columns together. One thread.
class JsonFastPath {
 public:
  static constexpr std::size_t kReadPast = 64;     ///< bytes behind a record that it may read, whatever they are
  static constexpr std::size_t kMaxStaged = 128;

  JsonFastPath(const JsonOptions& options, std::vector<Field> fields);
  /// The names of one object: to a column, to -1 (skipped), or to the level `-1 - target` of a ROW. Levels in order, the record itself first.
  void add_level(const std::unordered_map<std::string, int>& names, const std::vector<std::size_t>& columns);

  /// Stages the record's row; false when it is not sure. `record` is followed by kReadPast readable bytes; `lasting` is where its bytes stay until flush().
  bool read(std::string_view record, const char* lasting);
  std::size_t staged() const { return rows_; }
  bool full() const { return rows_ == kMaxStaged; }
  /// Appends what is staged.
  void flush(BatchBuilder& out);

 private:
  static constexpr std::size_t kMaxColumns = 64;
  static constexpr std::size_t kMaxKeys = 256;
  static constexpr std::size_t kLongestKey = kReadPast - 1;
  static constexpr std::size_t kUnescaped = 64 << 10;

  union Slot {
    std::int64_t integer;
    double number;
    Int128 decimal;
    struct {
      const char* data;
      std::size_t size;
    } text;
  };
  struct Known {
    JsonKey key;
    std::size_t next = 0;   ///< the key that came behind it last time
  };
  struct Level {
    std::unordered_map<std::string, int> names;
    std::vector<std::size_t> columns;
    std::vector<Known> known;   ///< [0] stands for the object's beginning
    std::unordered_map<std::string, std::size_t> known_at;
  };
  struct ColumnStage {
    Type type;
    Cell cell;   ///< with the date seen last
    std::array<Slot, kMaxStaged> slots;
  };

  const char* object(const char* p, std::size_t level);
  const char* find_key(const char* p, Level& level, std::size_t& previous, int& target);
  const char* value(const char* p, std::size_t column);
  const char* text_value(const char* p, std::size_t column);
  const char* number_value(const char* p, ColumnStage& column);
  const char* row(const char* p, std::size_t level);
  const char* skip(const char* p, int depth);
  const char* skip_nested(const char* p, int depth);
  const char* string_end(const char* p);
  const char* unescape(const char* p, std::string_view& text);
  const char* number_end(const char* p) const;
  const char* space(const char* p) const {
    while (static_cast<unsigned char>(*p) <= ' ' && p < end_) {
      if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r') return end_;
      ++p;
    }
    return p;
  }
  bool literal(const char* p, std::string_view word) const { return static_cast<std::size_t>(end_ - p) >= word.size() && std::memcmp(p, word.data(), word.size()) == 0; }
  bool mark(std::size_t column, bool present) {
    const std::uint64_t bit = std::uint64_t{1} << column;
    if ((seen_ & bit) != 0) return false;   // twice: the last one counts
    seen_ |= bit;
    if (present) present_ |= bit;
    return true;
  }
  template <class T, class Get>
  void append(ColumnBuilder& to, std::size_t column, Get&& get) const;

  JsonOptions options_;
  std::vector<Level> levels_;
  std::vector<ColumnStage> columns_;
  std::array<std::uint64_t, kMaxStaged> row_present_;   ///< of each staged row, the columns that are not null
  std::size_t rows_ = 0;
  bool usable_ = true;
  // Strings without their escapes, until flush().
  std::string unescaped_;
  // Of the record being read.
  const char* end_ = nullptr;
  std::ptrdiff_t lasting_ = 0;   ///< from its bytes to the lasting ones
  std::uint64_t seen_ = 0, present_ = 0;
  // Where nothing is plain the try is a loss: after many in a row, none for a while.
  std::size_t unsure_in_a_row_ = 0;
  std::size_t resting_ = 0;
};

}  // namespace supyo::formats
