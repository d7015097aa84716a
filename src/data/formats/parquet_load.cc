#include <dlfcn.h>

#include "data/formats/parquet.h"

namespace supyo::formats {
namespace {

// The module stays loaded until the process ends: objects that it made may be destroyed at any time.
Result<ParquetModule*> load() {
  static const Result<ParquetModule*> module = []() -> Result<ParquetModule*> {
    const std::string hint =
        "build with -DSUPYO_PARQUET=ON and keep libsupyo_parquet.so beside the executable (the pyarrow wheel that it was built with must still be there); see docs/iceberg.md";
    // No '/' in the name: the loader looks in the executable's run path.
    void* handle = dlopen(ParquetModule::kFile, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* why = dlerror();
      return fail(ErrorCode::kModuleMissing, fmt::format("cannot load the Parquet module: {}", why ? why : "unknown error"), hint);
    }
    using Entry = ParquetModule* (*)();
    const auto entry = reinterpret_cast<Entry>(dlsym(handle, ParquetModule::kEntry));
    if (entry == nullptr) return fail(ErrorCode::kModuleMissing, fmt::format("{} is not Supyo's Parquet module", ParquetModule::kFile), hint);
    ParquetModule* made = entry();
    if (made->abi() != ParquetModule::kAbi)
      return fail(ErrorCode::kModuleMissing, fmt::format("{} belongs to another version of Supyo", ParquetModule::kFile), hint);
    return made;
  }();
  return module;
}

}  // namespace

Result<std::unique_ptr<ParquetWriter>> make_parquet_writer(const std::vector<ParquetField>& schema, const ParquetWriteOptions& options, ParquetOutput output) {
  SUPYO_ASSIGN(ParquetModule * module, load());
  return module->writer(schema, options, std::move(output));
}

Result<std::unique_ptr<ParquetReader>> make_parquet_reader(std::string_view bytes, const std::string& name, const std::vector<ParquetField>& columns, std::int64_t first_row) {
  SUPYO_ASSIGN(ParquetModule * module, load());
  return module->reader(bytes, name, columns, first_row);
}

}  // namespace supyo::formats
