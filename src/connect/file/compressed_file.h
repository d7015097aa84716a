#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::connect {

/// Whether a file is compressed, by its name as Flink has it: .gz, .gzip, .deflate, .zst. Errors: kUnsupported (.bz2, .xz: Flink reads them, we do not).
Result<bool> is_compressed(const std::string& path);

/// The contents of a compressed file (several members one after another, as `cat a.gz b.gz` makes them, are one). `path` decides how it is compressed and is named in errors.
/// read() fails with kDamaged when the file is not what its name says, or ends in the middle.
std::unique_ptr<env::InputStream> open_compressed(std::unique_ptr<env::File> file, std::string path);

}  // namespace supyo::connect
