#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/env/env.h"
#include "lab/stack/supervisor.h"

namespace supyo::stack {

/// Version of Kafka that deploy/kafka/pom.xml pins.
inline constexpr std::string_view kKafkaVersion = "4.1.1";

/// Checks that `directory` holds exactly the files that `sums` lists ("sha256  name" lines), with these contents. A file too many is refused like a changed
/// one: a class path takes all that is there. Errors: kNotFoundOnDisk (directory or file), kDamaged (naming the file).
Status check_sums(env::Files& files, const std::string& directory, std::string_view sums);

/// A program of PATH. kProgramMissing, with the Debian package that has it.
Result<std::string> find_program(const env::Env& env, const std::string& name, std::string_view package);
/// The last lines of what a program said, for a message.
std::string end_of(const std::string& output);

/// The java of JAVA_HOME, else of PATH, if it is new enough. `java_home` may be empty. Errors: kProgramMissing, with what to install.
Result<std::string> find_java(const env::Env& env, std::string_view java_home, const UpHooks& hooks);

/// Directory of Kafka's jars (and of the JMX exporter), below `downloads`. Fetched with Maven, which knows the repositories of this machine, when they are
/// not there; the pinned checksums are checked each time. Errors: kProgramMissing (mvn), kOutsideUnavailable (Maven failed: the end of what it said), kDamaged.
Result<std::string> kafka_jars(const env::Env& env, const std::string& downloads, const UpHooks& hooks);

}  // namespace supyo::stack
