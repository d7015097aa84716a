#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace supyo::operators {

/// A few bytes that do not change often, in sixteen of its own: up to fifteen of them need no other memory. For what an operator keeps beside each row. Move only.
class ShortBytes {
 public:
  ShortBytes() = default;
  ShortBytes(ShortBytes&& o) noexcept { swap(o); }
  ShortBytes& operator=(ShortBytes&& o) noexcept {
    swap(o);
    return *this;
  }
  ~ShortBytes() { clear(); }

  std::string_view view() const {
    if (size_ != kApart) return {own_, size_};
    const Apart a = apart();
    return {a.at, a.size};
  }
  void assign(std::string_view bytes) {
    clear();
    if (bytes.size() <= sizeof own_) {
      if (!bytes.empty()) std::memcpy(own_, bytes.data(), bytes.size());
      size_ = static_cast<std::uint8_t>(bytes.size());
      return;
    }
    const auto size = static_cast<std::uint32_t>(bytes.size());
    char* const at = new char[size];
    std::memcpy(at, bytes.data(), size);
    std::memcpy(own_, &at, sizeof at);
    std::memcpy(own_ + sizeof at, &size, sizeof size);
    size_ = kApart;
  }
  void clear() {
    if (size_ == kApart) delete[] apart().at;
    size_ = 0;
  }

 private:
  static constexpr std::uint8_t kApart = 255;   // own_ has an address and a size
  struct Apart {
    char* at = nullptr;
    std::uint32_t size = 0;
  };
  Apart apart() const {
    Apart a;
    std::memcpy(&a.at, own_, sizeof a.at);
    std::memcpy(&a.size, own_ + sizeof a.at, sizeof a.size);
    return a;
  }
  void swap(ShortBytes& o) noexcept {
    std::swap(own_, o.own_);
    std::swap(size_, o.size_);
  }

  char own_[15] = {};
  std::uint8_t size_ = 0;
};
static_assert(sizeof(ShortBytes) == 16);

}  // namespace supyo::operators
