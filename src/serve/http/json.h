#pragma once
#include <string>
#include <string_view>

namespace supyo::http {

/// `text` in quotes. Any bytes: broken UTF-8 stays as it is (readers put a replacement character there), '<' is escaped so that the text may stand in HTML.
std::string json_text(std::string_view text);
/// Nine digits; null for what is no number.
std::string json_number(double v);

}  // namespace supyo::http
