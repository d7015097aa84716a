#include "cli/context.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "cli/signals.h"
#include "core/env/env.h"
#include "sql/syntax/diagnostic.h"

namespace supyo::cli {
namespace {

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nobody listens any more; SIGPIPE has ended us unless it is ignored
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

void write_out(std::string_view text) { write_all(STDOUT_FILENO, text); }
void write_error(std::string_view text) { write_all(STDERR_FILENO, text); }

int report(const Error& error, std::string_view text, std::string_view name) {
  write_error((text.empty() ? error.to_string() : syntax::render_diagnostic(text, error, name)) + "\n");
  return error.code == ErrorCode::kUsage ? kUsage : kFailed;
}

Result<std::string> read_text(const Context& context, const std::string& path) {
  if (path == "-") {
    std::string text;
    char chunk[65536];
    while (true) {
      const ssize_t n = ::read(STDIN_FILENO, chunk, sizeof chunk);
      if (n < 0 && errno == EINTR && !stop_requested()) continue;
      if (n < 0 && errno == EINTR) return fail(ErrorCode::kCancelled, "stopped while reading standard input");
      if (n < 0) return fail(ErrorCode::kIo, "standard input cannot be read");
      if (n == 0) return text;
      text.append(chunk, static_cast<std::size_t>(n));
    }
  }
  auto text = context.env.files.read_all(path);
  if (!text && text.error().code == ErrorCode::kNotFoundOnDisk)
    return fail(ErrorCode::kFileNotFound, fmt::format("there is no file {}", path), "check the name, and the folder that the command runs in");
  return text;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[i];
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else if (byte < 0x80) {
      out += text[i];
    } else {
      const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 0;
      bool whole = length > 0 && byte <= 0xf4 && i + length <= text.size();
      for (std::size_t k = 1; whole && k < length; ++k) whole = (static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80;
      if (whole) {
        out.append(text.substr(i, length));
        i += length - 1;
      } else {
        out += "\\ufffd";
      }
    }
  }
  return out + "\"";
}

std::string grouped(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

}  // namespace supyo::cli
