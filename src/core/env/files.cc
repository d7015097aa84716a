#include "core/env/env.h"

namespace supyo::env {

namespace {

class FileStream final : public InputStream {
 public:
  explicit FileStream(std::unique_ptr<File> file) : file_(std::move(file)) {}
  Result<Read> read(std::span<char> out) override {
    SUPYO_ASSIGN(const std::size_t n, file_->read_at(offset_, out));
    offset_ += n;
    return Read{.bytes = n, .ended = n == 0};
  }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t offset_ = 0;
};

}  // namespace

Result<std::unique_ptr<InputStream>> Files::open_stream(const std::string& path) {
  SUPYO_ASSIGN(auto file, open(path, OpenMode::kRead));
  return std::make_unique<FileStream>(std::move(file));
}

Result<std::string> Files::read_all(const std::string& path) {
  SUPYO_ASSIGN(const auto file, open(path, OpenMode::kRead));
  SUPYO_ASSIGN(const std::uint64_t size, file->size());
  std::string bytes(size, '\0');
  SUPYO_ASSIGN(const std::size_t n, file->read_at(0, bytes));
  bytes.resize(n);
  return bytes;
}

Status Files::write_atomically(const std::string& path, std::string_view bytes) {
  // One fixed temporary name: what a crash left there is overwritten by the next write, and never piles up.
  const std::string temporary = path + ".tmp";
  {
    SUPYO_ASSIGN(const auto file, open(temporary, OpenMode::kCreateOrOpen));
    SUPYO_TRY(file->truncate(0));
    SUPYO_TRY(file->write_at(0, bytes));
    SUPYO_TRY(file->sync());
  }
  SUPYO_TRY(rename(temporary, path));
  return sync_directory(parent_path(path));
}

}  // namespace supyo::env
