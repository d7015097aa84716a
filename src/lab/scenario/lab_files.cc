#include "lab/scenario/lab_files.h"

namespace supyo::scenario {
namespace {

class UnsyncedFile final : public env::File {
 public:
  explicit UnsyncedFile(std::unique_ptr<env::File> file) : file_(std::move(file)) {}
  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) const override { return file_->read_at(offset, out); }
  Status write_at(std::uint64_t offset, std::string_view bytes) override { return file_->write_at(offset, bytes); }
  Result<std::uint64_t> size() const override { return file_->size(); }
  Status truncate(std::uint64_t size) override { return file_->truncate(size); }
  Status allocate(std::uint64_t size) override { return file_->allocate(size); }
  Status sync() override { return ok(); }

 private:
  std::unique_ptr<env::File> file_;
};

}  // namespace

Result<std::unique_ptr<env::File>> UnsyncedFiles::open(const std::string& path, env::OpenMode mode) {
  SUPYO_ASSIGN(auto file, files_.open(path, mode));
  return std::make_unique<UnsyncedFile>(std::move(file));
}

}  // namespace supyo::scenario
