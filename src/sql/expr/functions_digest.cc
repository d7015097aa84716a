#include <openssl/evp.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <optional>

#include "sql/expr/kernel.h"
#include "sql/expr/registration.h"

namespace supyo::expr {
namespace {

using Args = std::span<const ColumnPtr>;
using Text = std::string_view;

void append_hex(std::string& out, std::span<const unsigned char> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const unsigned char b : bytes) {
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
}

/// Appends the digest of `s` in hexadecimal; false when the library refuses the algorithm (FIPS mode and MD5).
bool append_digest(std::string& out, Text s, const EVP_MD* algorithm) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (algorithm == nullptr || EVP_Digest(s.data(), s.size(), digest.data(), &size, algorithm, nullptr) != 1) return false;
  append_hex(out, std::span(digest).first(size));
  return true;
}

template <const EVP_MD* (*kAlgorithm)()>
Result<ColumnPtr> digest(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text>(args, result, rows, [](std::string& out, Text s) { return append_digest(out, s, kAlgorithm()); });
}

Result<ColumnPtr> sha2(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text, std::int32_t>(args, result, rows, [](std::string& out, Text s, std::int32_t bits) -> Result<bool> {
    switch (bits) {
      case 224: return append_digest(out, s, EVP_sha224());
      case 256: return append_digest(out, s, EVP_sha256());
      case 384: return append_digest(out, s, EVP_sha384());
      case 512: return append_digest(out, s, EVP_sha512());
      default: return arithmetic_error(fmt::format("SHA2: {} bits; it has 224, 256, 384 and 512", bits));
    }
  });
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Result<ColumnPtr> to_base64(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text>(args, result, rows, [](std::string& out, Text s) {
    for (std::size_t i = 0; i < s.size(); i += 3) {
      std::uint32_t bits = 0;
      const std::size_t n = std::min<std::size_t>(3, s.size() - i);
      for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < n ? static_cast<unsigned char>(s[i + k]) : 0U);
      for (std::size_t k = 0; k < 4; ++k) out += k <= n ? kBase64[bits >> (18 - 6 * k) & 63] : '=';
    }
  });
}

Result<ColumnPtr> from_base64(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text>(args, result, rows, [](std::string& out, Text s) {
    while (s.ends_with('=')) s.remove_suffix(1);
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : s) {
      const std::size_t v = kBase64.find(c);
      if (v == Text::npos) return false;
      bits = bits << 6 | static_cast<std::uint32_t>(v);
      have += 6;
      if (have < 8) continue;
      have -= 8;
      out += static_cast<char>(bits >> have & 0xff);
    }
    return true;
  });
}

Result<ColumnPtr> hex_of_text(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text>(args, result, rows, [](std::string& out, Text s) {
    for (const char c : s) fmt::format_to(std::back_inserter(out), "{:02X}", static_cast<unsigned char>(c));
  });
}
int digit_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/// Of an odd number of digits the first is dropped, and a zero byte stands in its place.
Result<ColumnPtr> unhex(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text>(args, result, rows, [](std::string& out, Text s) {
    if (s.size() % 2 == 1) {
      if (digit_of(s.front()) < 0) return false;
      out += '\0';
      s.remove_prefix(1);
    }
    for (std::size_t i = 0; i < s.size(); i += 2) {
      const int high = digit_of(s[i]), low = digit_of(s[i + 1]);
      if (high < 0 || low < 0) return false;
      out += static_cast<char>(high << 4 | low);
    }
    return true;
  });
}

Result<ColumnPtr> url_encode(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text>(args, result, rows, [](std::string& out, Text s) {
    for (const char c : s) {
      const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || Text(".-*_").find(c) != Text::npos;
      if (plain) out += c;
      else if (c == ' ') out += '+';
      else fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  });
}

Result<ColumnPtr> url_decode(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<Text>(args, result, rows, [](std::string& out, Text s) {
    const std::size_t begin = out.size();
    for (std::size_t i = 0; i < s.size(); ++i) {
      if (s[i] != '%') {
        out += s[i] == '+' ? ' ' : s[i];
        continue;
      }
      const int high = i + 2 < s.size() ? digit_of(s[i + 1]) : -1, low = i + 2 < s.size() ? digit_of(s[i + 2]) : -1;
      if (high < 0 || low < 0) return false;
      out += static_cast<char>(high << 4 | low);
      i += 2;
    }
    return simdjson::validate_utf8(out.data() + begin, out.size() - begin);
  });
}

Result<ColumnPtr> hex_of_number(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<std::int64_t>(args, result, rows,
                                [](std::string& out, std::int64_t v) { fmt::format_to(std::back_inserter(out), "{:X}", static_cast<std::uint64_t>(v)); });
}
Result<ColumnPtr> binary_of_number(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return map_text<std::int64_t>(args, result, rows,
                                [](std::string& out, std::int64_t v) { fmt::format_to(std::back_inserter(out), "{:b}", static_cast<std::uint64_t>(v)); });
}

/// A URL taken apart as Java's java.net.URL does it.
struct Url {
  Text protocol, authority, host, path, file;
  std::optional<Text> query, ref, user;
};

/// In lower case; empty when there is no such one.
Text protocol_of(Text s) {
  static constexpr std::array<Text, 6> kKnown = {"http", "https", "ftp", "file", "jar", "mailto"};
  std::string lower(s);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const auto* known = std::ranges::find(kKnown, lower);
  return known == kKnown.end() ? Text() : *known;
}

/// Host and port of what stands before the path; false when it is none.
bool take_authority(Url& u) {
  u.host = u.authority;
  if (const std::size_t at = u.authority.find('@'); at != Text::npos) {
    if (at != u.authority.rfind('@')) { u.host = {}; return true; }
    u.user = u.authority.substr(0, at);
    u.host = u.authority.substr(at + 1);
  }
  const std::size_t bracket = u.host.starts_with('[') ? u.host.find(']') : 0;
  if (bracket == Text::npos) return false;
  const std::size_t colon = u.host.find(':', bracket);
  if (bracket > 0 && bracket + 1 != std::min(colon, u.host.size())) return false;
  if (colon == Text::npos) return true;
  const Text port = u.host.substr(colon + 1);
  u.host = u.host.substr(0, colon);
  return port.size() < 10 && std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<Url> parse_url(Text s) {
  while (!s.empty() && static_cast<unsigned char>(s.front()) <= ' ') s.remove_prefix(1);
  while (!s.empty() && static_cast<unsigned char>(s.back()) <= ' ') s.remove_suffix(1);
  Url u;
  const std::size_t colon = s.find(':');
  if (colon == Text::npos) return std::nullopt;
  u.protocol = protocol_of(s.substr(0, colon));
  if (u.protocol.empty()) return std::nullopt;
  s.remove_prefix(colon + 1);
  if (const std::size_t hash = s.find('#'); hash != Text::npos) {
    u.ref = s.substr(hash + 1);
    s = s.substr(0, hash);
  }
  Text before = s;
  if (const std::size_t question = s.find('?'); question != Text::npos) {
    u.query = s.substr(question + 1);
    before = s.substr(0, question);
  }
  std::size_t begin = 0;
  if (before.starts_with("//") && !before.starts_with("////")) {
    begin = std::min(before.find('/', 2), before.size());
    u.authority = before.substr(2, begin - 2);
    if (!take_authority(u)) return std::nullopt;
  }
  u.path = before.substr(begin);
  u.file = s.substr(begin);
  return u;
}

/// The value of a key of a query: of its first occurrence.
std::optional<Text> in_query(Text query, Text key) {
  for (std::size_t from = 0; from <= query.size();) {
    const std::size_t end = std::min(query.find('&', from), query.size());
    const Text pair = query.substr(from, end - from);
    if (pair.size() > key.size() && pair.starts_with(key) && pair[key.size()] == '=') return pair.substr(key.size() + 1);
    from = end + 1;
  }
  return std::nullopt;
}

std::optional<Text> url_part(Text url, Text part) {
  const auto u = parse_url(url);
  if (!u) return std::nullopt;
  if (part == "HOST") return u->host;
  if (part == "PATH") return u->path;
  if (part == "QUERY") return u->query;
  if (part == "REF") return u->ref;
  if (part == "PROTOCOL") return u->protocol;
  if (part == "FILE") return u->file;
  if (part == "AUTHORITY") return u->authority;
  if (part == "USERINFO") return u->user;
  return std::nullopt;
}

Result<ColumnPtr> parse_url_part(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  if (args.size() == 2) {
    return map_text<Text, Text>(args, result, rows, [](std::string& out, Text url, Text part) {
      const auto found = url_part(url, part);
      if (found) out += *found;
      return found.has_value();
    });
  }
  return map_text<Text, Text, Text>(args, result, rows, [](std::string& out, Text url, Text part, Text key) {
    const auto query = part == "QUERY" ? url_part(url, part) : std::nullopt;
    const auto found = query ? in_query(*query, key) : std::nullopt;
    if (found) out += *found;
    return found.has_value();
  });
}

}  // namespace

void register_digest(Registrar& r) {
  const Type s = Type::string();
  const auto add = [&](const char* name, Kernel kernel) {
    r.add({.name = name, .kernel = kernel, .signature = fmt::format("{}(STRING) -> STRING", name), .help = fmt::format("{} digest in hexadecimal.", name)},
          takes({s}, s));
  };
  add("MD5", digest<EVP_md5>);
  add("SHA1", digest<EVP_sha1>);
  add("SHA224", digest<EVP_sha224>);
  add("SHA256", digest<EVP_sha256>);
  add("SHA384", digest<EVP_sha384>);
  add("SHA512", digest<EVP_sha512>);
  r.add({.name = "SHA2", .kernel = sha2, .signature = "SHA2(STRING, bits) -> STRING", .help = "SHA-2 digest of that many bits in hexadecimal."},
        takes({s, Type::integer()}, s));
  r.add({.name = "TO_BASE64", .kernel = to_base64, .signature = "TO_BASE64(STRING) -> STRING", .help = "The text in Base64."}, takes({s}, s));
  r.add({.name = "FROM_BASE64", .kernel = from_base64, .signature = "FROM_BASE64(STRING) -> STRING", .help = "The text that a Base64 text stands for; null when it is none."},
        takes({s}, s, {.always_nullable = true}));
  r.add({.name = "HEX", .kernel = hex_of_text, .signature = "HEX(STRING) -> STRING", .help = "The bytes in hexadecimal."}, takes({s}, s));
  r.add({.name = "HEX", .kernel = hex_of_number, .signature = "HEX(BIGINT) -> STRING", .help = "The number in hexadecimal."}, takes({Type::big_int()}, s));
  r.add({.name = "UNHEX", .kernel = unhex, .signature = "UNHEX(STRING) -> BYTES", .help = "The bytes of a hexadecimal text; null when it is none."},
        takes({s}, Type::bytes(), {.always_nullable = true}));
  r.add({.name = "URL_ENCODE", .kernel = url_encode, .signature = "URL_ENCODE(STRING) -> STRING", .help = "As application/x-www-form-urlencoded, in UTF-8."}, takes({s}, s));
  r.add({.name = "PARSE_URL", .kernel = parse_url_part, .signature = "PARSE_URL(STRING, part [, key]) -> STRING",
         .help = "HOST, PATH, QUERY, REF, PROTOCOL, AUTHORITY, FILE or USERINFO of a URL; of QUERY the value of a key. Null when there is none."},
        takes({s, s, s}, s, {.optional = 1, .always_nullable = true}));
  r.add({.name = "URL_DECODE", .kernel = url_decode, .signature = "URL_DECODE(STRING) -> STRING", .help = "The text of such a one; null when it is none."}, takes({s}, s, {.always_nullable = true}));
  r.add({.name = "BIN", .kernel = binary_of_number, .signature = "BIN(BIGINT) -> STRING", .help = "The number in binary."}, takes({Type::big_int()}, s));
}

}  // namespace supyo::expr
