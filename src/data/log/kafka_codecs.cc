// Compression as Kafka's clients do it. Each decompressor is bounded: a batch of a few bytes must not become gigabytes.
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "data/log/kafka_batch.h"

namespace supyo::log {
namespace {

constexpr std::size_t kStep = 64U << 10;
constexpr std::string_view kXerialMagic("\x82" "SNAPPY\0", 8);
constexpr std::size_t kXerialHeader = 16;
constexpr std::size_t kXerialBlock = 32U << 10;

std::unexpected<Error> malformed(std::string_view codec, std::string_view why) { return fail(ErrorCode::kMalformedRecord, fmt::format("Kafka batch: {}: {}", codec, why)); }
std::unexpected<Error> too_large(std::string_view codec, std::size_t max_bytes) { return malformed(codec, fmt::format("decompresses to more than {} bytes", max_bytes)); }

/// Grows `out` by a step that doubles with what is there, within the bound. False at the bound.
bool grow(std::string& out, std::size_t used, std::size_t max_bytes) {
  if (used >= max_bytes) return false;
  out.resize(std::min(max_bytes, used + std::max(kStep, used)));
  return true;
}

Status gunzip(std::string_view in, std::string& out, std::size_t max_bytes) {
  z_stream z{};
  if (inflateInit2(&z, 15 + 16) != Z_OK) return malformed("gzip", "no memory");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&z, inflateEnd);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  std::size_t used = 0;
  for (int code = Z_OK; code != Z_STREAM_END;) {
    // One byte more than allowed: a stream of exactly the bound still has to say that it ends.
    if (used == out.size() && !grow(out, used, max_bytes + 1)) return too_large("gzip", max_bytes);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    z.avail_out = static_cast<uInt>(out.size() - used);
    code = inflate(&z, Z_NO_FLUSH);
    const std::size_t now = out.size() - z.avail_out;
    if (code != Z_OK && code != Z_STREAM_END) return malformed("gzip", "bad stream");
    if (code == Z_OK && now == used && z.avail_in == 0) return malformed("gzip", "the stream is cut off");
    used = now;
  }
  if (used > max_bytes) return too_large("gzip", max_bytes);
  out.resize(used);
  return ok();
}

Status gzip(std::string_view in, std::string& out) {
  z_stream z{};
  if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return malformed("gzip", "no memory");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&z, deflateEnd);
  const std::size_t start = out.size();
  out.resize(start + deflateBound(&z, static_cast<uLong>(in.size())));
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data() + start);
  z.avail_out = static_cast<uInt>(out.size() - start);
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) return malformed("gzip", "does not compress");
  out.resize(out.size() - z.avail_out);
  return ok();
}

Status unsnap_block(std::string_view in, std::string& out, std::size_t max_bytes) {
  std::size_t length = 0;
  if (snappy_uncompressed_length(in.data(), in.size(), &length) != SNAPPY_OK) return malformed("snappy", "bad block");
  if (length > max_bytes - out.size()) return too_large("snappy", max_bytes);
  // A block cannot expand more than this: a forged length must not cost the memory that it names.
  if (length / 64 > in.size()) return malformed("snappy", "a block promises more than it can hold");
  const std::size_t used = out.size();
  out.resize(used + length);
  if (snappy_uncompress(in.data(), in.size(), out.data() + used, &length) != SNAPPY_OK) return malformed("snappy", "bad block");
  return ok();
}

Status unsnap(std::string_view in, std::string& out, std::size_t max_bytes) {
  if (!in.starts_with(kXerialMagic)) return unsnap_block(in, out, max_bytes);
  if (in.size() < kXerialHeader) return malformed("snappy", "the framing is cut off");
  for (in.remove_prefix(kXerialHeader); !in.empty();) {
    if (in.size() < 4) return malformed("snappy", "the framing is cut off");
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(in[i])); };
    const std::size_t length = byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
    in.remove_prefix(4);
    if (length > in.size()) return malformed("snappy", "the framing is cut off");
    SUPYO_TRY(unsnap_block(in.substr(0, length), out, max_bytes));
    in.remove_prefix(length);
  }
  return ok();
}

/// In xerial's framing, as the Java clients write it.
Status snap(std::string_view in, std::string& out) {
  out.append(kXerialMagic);
  out.append(std::string_view("\0\0\0\1\0\0\0\1", 8));
  for (std::size_t at = 0; at < in.size(); at += kXerialBlock) {
    const std::string_view block = in.substr(at, kXerialBlock);
    const std::size_t start = out.size();
    std::size_t length = snappy_max_compressed_length(block.size());
    out.resize(start + 4 + length);
    if (snappy_compress(block.data(), block.size(), out.data() + start + 4, &length) != SNAPPY_OK) return malformed("snappy", "does not compress");
    for (std::size_t i = 0; i < 4; ++i) out[start + i] = static_cast<char>(length >> (24 - 8 * i));
    out.resize(start + 4 + length);
  }
  return ok();
}

Status unlz4(std::string_view in, std::string& out, std::size_t max_bytes) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION))) return malformed("lz4", "no memory");
  const std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> context(raw, LZ4F_freeDecompressionContext);
  std::size_t used = 0;
  for (std::size_t hint = 1; hint != 0;) {
    if (used == out.size() && !grow(out, used, max_bytes + 1)) return too_large("lz4", max_bytes);
    std::size_t produced = out.size() - used;
    std::size_t consumed = in.size();
    hint = LZ4F_decompress(context.get(), out.data() + used, &produced, in.data(), &consumed, nullptr);
    if (LZ4F_isError(hint)) return malformed("lz4", LZ4F_getErrorName(hint));
    if (hint != 0 && produced == 0 && consumed == 0) return malformed("lz4", "the frame is cut off");
    used += produced;
    in.remove_prefix(consumed);
  }
  if (used > max_bytes) return too_large("lz4", max_bytes);
  out.resize(used);
  return ok();
}

Status lz4(std::string_view in, std::string& out) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;   // the Java client reads no other
  const std::size_t start = out.size();
  out.resize(start + LZ4F_compressFrameBound(in.size(), &preferences));
  const std::size_t n = LZ4F_compressFrame(out.data() + start, out.size() - start, in.data(), in.size(), &preferences);
  if (LZ4F_isError(n)) return malformed("lz4", LZ4F_getErrorName(n));
  out.resize(start + n);
  return ok();
}

Status unzstd(std::string_view in, std::string& out, std::size_t max_bytes) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!context) return malformed("zstd", "no memory");
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  std::size_t used = 0;
  for (std::size_t left = 1; left != 0;) {
    if (used == out.size() && !grow(out, used, max_bytes + 1)) return too_large("zstd", max_bytes);
    ZSTD_outBuffer to{out.data() + used, out.size() - used, 0};
    const std::size_t before = from.pos;
    left = ZSTD_decompressStream(context.get(), &to, &from);
    if (ZSTD_isError(left)) return malformed("zstd", ZSTD_getErrorName(left));
    if (left != 0 && to.pos == 0 && from.pos == before) return malformed("zstd", "the frame is cut off");
    used += to.pos;
    if (left == 0 && from.pos < from.size) left = 1;   // another frame follows
  }
  if (used > max_bytes) return too_large("zstd", max_bytes);
  out.resize(used);
  return ok();
}

Status zstd(std::string_view in, std::string& out) {
  const std::size_t start = out.size();
  out.resize(start + ZSTD_compressBound(in.size()));
  const std::size_t n = ZSTD_compress(out.data() + start, out.size() - start, in.data(), in.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(n)) return malformed("zstd", ZSTD_getErrorName(n));
  out.resize(start + n);
  return ok();
}

}  // namespace

Status kafka_decompress(KafkaCompression codec, std::string_view in, std::string& out, std::size_t max_bytes) {
  out.clear();
  switch (codec) {
    case KafkaCompression::kNone:
      if (in.size() > max_bytes) return too_large("none", max_bytes);
      out.assign(in);
      return ok();
    case KafkaCompression::kGzip: return gunzip(in, out, max_bytes);
    case KafkaCompression::kSnappy: return unsnap(in, out, max_bytes);
    case KafkaCompression::kLz4: return unlz4(in, out, max_bytes);
    case KafkaCompression::kZstd: return unzstd(in, out, max_bytes);
  }
  return malformed("codec", "unknown");
}

Status kafka_compress(KafkaCompression codec, std::string_view in, std::string& out) {
  switch (codec) {
    case KafkaCompression::kNone: out.append(in); return ok();
    case KafkaCompression::kGzip: return gzip(in, out);
    case KafkaCompression::kSnappy: return snap(in, out);
    case KafkaCompression::kLz4: return lz4(in, out);
    case KafkaCompression::kZstd: return zstd(in, out);
  }
  return malformed("codec", "unknown");
}

}  // namespace supyo::log
