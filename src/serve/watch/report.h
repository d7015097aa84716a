#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "serve/watch/monitor.h"

namespace supyo::watch {

/// What was found, for people: the verdict, every finding with what to do, and the groups in a table. Names from outside lose their control characters.
std::string report_text(const Report& report);

/// One JSON document on one line; docs/reference/diagnose.md describes it.
std::string report_json(const Report& report);

/// Exit status of `diagnose`: 0 nothing to do, 3 an incident or a ticket, 4 not enough data, or not known.
int exit_status(const Report& report);

/// "in 2 h 10 min", "lost", "-", "?": when a group's first loss comes.
std::string loss_text(const GroupReport& group, TimeUs now);
/// Of a report that nobody answered: how old it is, and what it said.
std::string last_known_text(const Report& report);
/// "OK"; "was OK" where nobody answers any more.
std::string health_text(const Report& report, const GroupReport& group);
std::string age_text(std::optional<double> seconds);
/// Without control characters, at most `width` columns' worth of bytes.
std::string plain(std::string_view text, std::size_t width = 512);

}  // namespace supyo::watch
