#include "connect/file/compressed_file.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <string_view>
#include <vector>

namespace supyo::connect {
namespace {

constexpr std::size_t kBlock = 256U << 10;

/// Reads the file in blocks; what unpacks them differs.
class Unpacked : public env::InputStream {
 public:
  Unpacked(std::unique_ptr<env::File> file, std::string path) : file_(std::move(file)), path_(std::move(path)), block_(kBlock) {}

  Result<Read> read(std::span<char> out) final {
    Read result;
    while (result.bytes < out.size()) {
      if (packed_.empty()) {
        SUPYO_ASSIGN(const std::size_t n, file_->read_at(offset_, block_));
        offset_ += n;
        packed_ = std::string_view(block_.data(), n);
      }
      const bool no_more = packed_.empty();
      SUPYO_ASSIGN(const std::size_t n, unpack(packed_, out.subspan(result.bytes)));
      result.bytes += n;
      if (!no_more || n > 0) continue;
      if (!between_members_) return damaged("it ends in the middle of its compressed data");
      result.ended = true;
      break;
    }
    return result;
  }

 protected:
  /// Takes from `packed`, writes into `out`, says how much it wrote, and keeps `between_members_`.
  virtual Result<std::size_t> unpack(std::string_view& packed, std::span<char> out) = 0;
  std::unexpected<Error> damaged(std::string_view why) const { return fail(ErrorCode::kDamaged, fmt::format("{}: {}", path_, why), "is it whole, and compressed as its name says?"); }
  bool between_members_ = true;

 private:
  std::unique_ptr<env::File> file_;
  std::string path_;
  std::vector<char> block_;
  std::string_view packed_;   // of block_, not unpacked yet
  std::uint64_t offset_ = 0;
};

/// gzip and zlib: which, zlib finds out.
class Inflated final : public Unpacked {
 public:
  using Unpacked::Unpacked;
  ~Inflated() override { inflateEnd(&stream_); }
  Inflated(const Inflated&) = delete;
  Inflated& operator=(const Inflated&) = delete;

 private:
  Result<std::size_t> unpack(std::string_view& packed, std::span<char> out) override {
    if (packed.empty() && between_members_) return 0;
    if (!begun_ && inflateInit2(&stream_, 15 + 32) != Z_OK) return fail(ErrorCode::kInternal, "zlib has no memory");
    begun_ = true;
    between_members_ = false;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), 1U << 30));
    const std::size_t room = stream_.avail_out;
    const int done = inflate(&stream_, Z_NO_FLUSH);
    packed.remove_prefix(packed.size() - stream_.avail_in);
    if (done == Z_STREAM_END) {
      between_members_ = true;
      inflateReset(&stream_);
    } else if (done != Z_OK && done != Z_BUF_ERROR) {
      return damaged(stream_.msg == nullptr ? "it is not compressed" : stream_.msg);
    }
    return room - stream_.avail_out;
  }

  z_stream stream_ = {};
  bool begun_ = false;
};

class Zstd final : public Unpacked {
 public:
  using Unpacked::Unpacked;

 private:
  Result<std::size_t> unpack(std::string_view& packed, std::span<char> out) override {
    if (packed.empty() && between_members_) return 0;
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const std::size_t left = ZSTD_decompressStream(stream_.get(), &to, &in);
    if (ZSTD_isError(left) != 0) return damaged(ZSTD_getErrorName(left));
    packed.remove_prefix(in.pos);
    between_members_ = left == 0;
    return to.pos;
  }

  struct Free {
    void operator()(ZSTD_DStream* s) const { ZSTD_freeDStream(s); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_{ZSTD_createDStream()};
};

}  // namespace

Result<bool> is_compressed(const std::string& path) {
  for (const std::string_view end : {".gz", ".gzip", ".deflate", ".zst"})
    if (path.ends_with(end)) return true;
  for (const std::string_view end : {".bz2", ".xz"})
    if (path.ends_with(end)) return fail(ErrorCode::kUnsupported, fmt::format("{}: files compressed as {} are not read", path, end), "compress it as .gz or .zst, or not at all");
  return false;
}

std::unique_ptr<env::InputStream> open_compressed(std::unique_ptr<env::File> file, std::string path) {
  if (path.ends_with(".zst")) return std::make_unique<Zstd>(std::move(file), std::move(path));
  return std::make_unique<Inflated>(std::move(file), std::move(path));
}

}  // namespace supyo::connect
