#pragma once
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

/// Kafka's wire encoding (kafka.apache.org/protocol, KIP-482 for flexible versions).
///
/// A message is a struct with `template <class A> void describe(A& a)`, which names its fields once, in order; the Encoder and the Decoder walk that one
/// description. Fields that exist from a version on stand behind `if (a.version() >= n)`. Every struct ends with `a.tags()`.
namespace supyo::broker {

using Uuid = std::array<std::uint8_t, 16>;

template <class T>
concept WireInteger = std::same_as<T, bool> || std::same_as<T, std::int8_t> || std::same_as<T, std::int16_t> || std::same_as<T, std::int32_t> ||
                      std::same_as<T, std::int64_t> || std::same_as<T, std::uint16_t> || std::same_as<T, std::uint32_t>;

template <WireInteger T>
constexpr T swap_bytes(T v) {
  if constexpr (sizeof(T) == 1) return v;
  else return std::byteswap(v);
}

/// Appends big-endian values to a string.
class Encoder {
 public:
  static constexpr bool kDecodes = false;
  Encoder(std::string& out, int version, bool flexible) : out_(out), version_(version), flexible_(flexible) {}
  int version() const { return version_; }
  bool flexible() const { return flexible_; }

  template <WireInteger T>
  void field(T v) {
    const T big = swap_bytes(v);
    out_.append(reinterpret_cast<const char*>(&big), sizeof big);
  }
  void field(const Uuid& v) { out_.append(reinterpret_cast<const char*>(v.data()), v.size()); }
  void field(std::string_view v) {
    length(v.size(), kText);
    out_.append(v);
  }
  void field(const std::string& v) { field(std::string_view(v)); }
  void field(const std::optional<std::string>& v) {
    if (v) field(std::string_view(*v));
    else null(kText);
  }
  /// A value with a four-byte length.
  void bytes(std::string_view v) {
    length(v.size(), kBytes);
    out_.append(v);
  }
  void bytes(const std::string& v) { bytes(std::string_view(v)); }
  void bytes(const std::optional<std::string_view>& v) {
    if (v) bytes(*v);
    else null(kBytes);
  }
  template <class T>
  void array(std::vector<T>& v) {
    length(v.size(), kBytes);
    for (T& item : v) element(item);
  }
  template <class T>
  void array(std::optional<std::vector<T>>& v) {
    if (v) array(*v);
    else null(kBytes);
  }
  /// No tagged fields: end of a struct.
  void tags() { if (flexible_) out_.push_back(0); }
  void varint(std::uint64_t v) {
    while (v >= 0x80) {
      out_.push_back(static_cast<char>(v | 0x80));
      v >>= 7;
    }
    out_.push_back(static_cast<char>(v));
  }

 private:
  enum Width : std::uint8_t { kText, kBytes };
  template <class T>
  void element(T& item) {
    if constexpr (requires { item.describe(*this); }) item.describe(*this);
    else field(item);
  }
  void length(std::size_t n, Width width) {
    if (flexible_) varint(n + 1);
    else if (width == kText) field(static_cast<std::int16_t>(n));
    else field(static_cast<std::int32_t>(n));
  }
  void null(Width width) {
    if (flexible_) varint(0);
    else if (width == kText) field(std::int16_t{-1});
    else field(std::int32_t{-1});
  }
  std::string& out_;
  int version_;
  bool flexible_;
};

/// Reads what an Encoder (or anybody) wrote. Safe on any bytes: never reads outside them, never builds more than kElementsMax elements; `failed()` turns
/// true and empty values come back. Views point into the bytes given.
class Decoder {
 public:
  static constexpr bool kDecodes = true;
  static constexpr std::size_t kElementsMax = 1U << 18;
  Decoder(std::string_view in, int version, bool flexible) : in_(in), version_(version), flexible_(flexible) {}
  int version() const { return version_; }
  bool flexible() const { return flexible_; }
  bool failed() const { return failed_; }
  std::size_t remaining() const { return in_.size(); }

  template <WireInteger T>
  void field(T& v) {
    v = T{};
    const std::string_view raw = take(sizeof(T));
    if (raw.empty()) return;
    if constexpr (std::same_as<T, bool>) {
      v = raw[0] != 0;
    } else {
      std::memcpy(&v, raw.data(), sizeof v);
      v = swap_bytes(v);
    }
  }
  void field(Uuid& v) {
    const std::string_view raw = take(v.size());
    if (!raw.empty()) std::memcpy(v.data(), raw.data(), v.size());
  }
  void field(std::string& v) { v = std::string(some(kText)); }
  void field(std::optional<std::string>& v) {
    const auto text = maybe(kText);
    v = text ? std::optional<std::string>(*text) : std::nullopt;
  }
  void bytes(std::string& v) { v = std::string(some(kBytes)); }
  void bytes(std::string_view& v) { v = some(kBytes); }
  void bytes(std::optional<std::string_view>& v) { v = maybe(kBytes); }
  template <class T>
  void array(std::vector<T>& v) {
    v.clear();
    const std::int64_t n = length(kBytes);
    if (n < 0) failed_ = true;   // null where no null may be
    elements(v, n);
  }
  template <class T>
  void array(std::optional<std::vector<T>>& v) {
    const std::int64_t n = length(kBytes);
    v.reset();
    if (n >= 0) elements(v.emplace(), n);
  }
  /// Skips tagged fields: none of those that clients send changes what this broker does.
  void tags() {
    if (!flexible_) return;
    const std::uint64_t n = varint();
    for (std::uint64_t i = 0; i < n && !failed_; ++i) {
      varint();
      take(varint());
    }
  }
  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
      std::int8_t b = 0;
      field(b);
      v |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if (b >= 0) return v;
    }
    failed_ = true;
    return 0;
  }

 private:
  enum Width : std::uint8_t { kText, kBytes };
  std::string_view take(std::uint64_t n) {
    if (n > in_.size()) {
      failed_ = true;
      in_ = {};
      return {};
    }
    const std::string_view taken = in_.substr(0, n);
    in_.remove_prefix(n);
    return taken;
  }
  std::int64_t length(Width width) {
    if (flexible_) return static_cast<std::int64_t>(varint()) - 1;
    if (width == kText) {
      std::int16_t n = 0;
      field(n);
      return n;
    }
    std::int32_t n = 0;
    field(n);
    return n;
  }
  std::optional<std::string_view> maybe(Width width) {
    const std::int64_t n = length(width);
    if (n < 0) return std::nullopt;
    return take(static_cast<std::uint64_t>(n));
  }
  std::string_view some(Width width) {
    const auto text = maybe(width);
    if (!text) failed_ = true;
    return text.value_or(std::string_view());
  }
  template <class T>
  void elements(std::vector<T>& v, std::int64_t n) {
    for (std::int64_t i = 0; i < n && !failed_; ++i) {
      if (in_.empty() || ++elements_ > kElementsMax) {
        failed_ = true;
        return;
      }
      T& item = v.emplace_back();
      if constexpr (requires { item.describe(*this); }) item.describe(*this);
      else field(item);
    }
  }
  std::string_view in_;
  int version_;
  bool flexible_;
  bool failed_ = false;
  std::size_t elements_ = 0;
};

}  // namespace supyo::broker
