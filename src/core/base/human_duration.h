#pragma once
#include <string>

#include "core/base/strong.h"

namespace supyo {

/// A length of time for people, rounded: "15 us", "250 ms", "3.2 s", "5 min 3 s", "2 h 10 min", "3 d 4 h".
std::string human_duration(DurationUs us);

}  // namespace supyo
