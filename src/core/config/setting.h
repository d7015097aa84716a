#pragma once
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "core/base/strong.h"

namespace supyo::config {

enum class SettingKind : std::uint8_t { kBool, kInteger, kDuration, kSize, kText, kChoice };

/// One setting, declared once in settings.h. Texts are in the grammar of its kind; bounds are inclusive, empty = none.
struct SettingSpec {
  SettingKind kind = SettingKind::kText;
  std::string_view name;                 ///< as in SET 'name' = 'value'
  std::string_view default_text;
  std::string_view low = {};
  std::string_view high = {};
  std::string_view choices = {};         ///< kChoice: "a|b|c"
  std::string_view sim = {};             ///< values that the simulation draws from: "20ms|100ms|1s"; empty = always the default
  std::string_view help = {};            ///< one line
  std::string_view alias = {};           ///< an older name of the same setting
};

/// A setting whose value is a T: bool, int64_t (also sizes in bytes), DurationUs (an int64_t too: microseconds), std::string_view.
template <class T>
struct Setting : SettingSpec {};

}  // namespace supyo::config
