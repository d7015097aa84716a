#pragma once
#include <memory>
#include <string>

#include "data/formats/format.h"

namespace supyo::connect {

/// Gives a format that needs one its schema registry, by its options; others stay as they are. `subject`: unless the options name another. Nothing is asked yet.
/// Errors: kMissingOption (no url), kBadOptionValue (no URL; a login without name or token).
Status attach_schema_registry(formats::FormatOptions& format, const std::string& subject);

}  // namespace supyo::connect
