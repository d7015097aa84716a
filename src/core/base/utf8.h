#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace supyo {

/// Length of the UTF-8 sequence at the start of `s`, or 0 when it is not one (overlong forms and surrogates included).
std::size_t utf8_sequence(std::string_view s);

/// Bytes of any kind as text: themselves as far as `most` bytes go, without a character that is cut, if they are UTF-8; else the first half as many as x'00ff'.
std::string text_of_bytes(std::string_view bytes, std::size_t most);

}  // namespace supyo
