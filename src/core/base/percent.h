#pragma once
#include <string>
#include <string_view>

namespace supyo {

/// "%3A": a byte as its two hexadecimal digits, as names of files and folders hold what they cannot.
void append_percent(char byte, std::string& out);
/// The text with such bytes put back. What is no % with two digits stays as it is.
std::string percent_decoded(std::string_view text);

}  // namespace supyo
