#include "core/base/result.h"

#include <fmt/format.h>

namespace supyo {

std::string_view error_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage: return "USAGE";
    case ErrorCode::kUnknownOption: return "UNKNOWN_OPTION";
    case ErrorCode::kBadOptionValue: return "BAD_OPTION_VALUE";
    case ErrorCode::kMissingOption: return "MISSING_OPTION";
    case ErrorCode::kFileNotFound: return "FILE_NOT_FOUND";
    case ErrorCode::kBadConfigFile: return "BAD_CONFIG_FILE";
    case ErrorCode::kAddressInUse: return "ADDRESS_IN_USE";
    case ErrorCode::kObjectiveInvalid: return "OBJECTIVE_INVALID";
    case ErrorCode::kNotAllowed: return "NOT_ALLOWED";
    case ErrorCode::kSyntax: return "SYNTAX";
    case ErrorCode::kUnknownTable: return "UNKNOWN_TABLE";
    case ErrorCode::kUnknownColumn: return "UNKNOWN_COLUMN";
    case ErrorCode::kAmbiguousColumn: return "AMBIGUOUS_COLUMN";
    case ErrorCode::kUnknownFunction: return "UNKNOWN_FUNCTION";
    case ErrorCode::kTypeMismatch: return "TYPE_MISMATCH";
    case ErrorCode::kUnsupported: return "UNSUPPORTED";
    case ErrorCode::kAlreadyExists: return "ALREADY_EXISTS";
    case ErrorCode::kInvalidQuery: return "INVALID_QUERY";
    case ErrorCode::kSinkCannotTake: return "SINK_CANNOT_TAKE";
    case ErrorCode::kUnknownConnector: return "UNKNOWN_CONNECTOR";
    case ErrorCode::kNoTimeAttribute: return "NO_TIME_ATTRIBUTE";
    case ErrorCode::kInvalidLiteral: return "INVALID_LITERAL";
    case ErrorCode::kJobFailed: return "JOB_FAILED";
    case ErrorCode::kStateOfOtherJob: return "STATE_OF_OTHER_JOB";
    case ErrorCode::kStateLocked: return "STATE_LOCKED";
    case ErrorCode::kSinkOfOtherJob: return "SINK_OF_OTHER_JOB";
    case ErrorCode::kCancelled: return "CANCELLED";
    case ErrorCode::kJobNotRunning: return "JOB_NOT_RUNNING";
    case ErrorCode::kArithmetic: return "ARITHMETIC";
    case ErrorCode::kMalformedRecord: return "MALFORMED_RECORD";
    case ErrorCode::kNullInNotNull: return "NULL_IN_NOT_NULL";
    case ErrorCode::kValueOutOfRange: return "VALUE_OUT_OF_RANGE";
    case ErrorCode::kTruncatedInput: return "TRUNCATED_INPUT";
    case ErrorCode::kOutsideUnavailable: return "OUTSIDE_UNAVAILABLE";
    case ErrorCode::kOutsideConflict: return "OUTSIDE_CONFLICT";
    case ErrorCode::kOutsideUnknown: return "OUTSIDE_UNKNOWN";
    case ErrorCode::kModuleMissing: return "MODULE_MISSING";
    case ErrorCode::kProgramMissing: return "PROGRAM_MISSING";
    case ErrorCode::kIo: return "IO";
    case ErrorCode::kDiskFull: return "DISK_FULL";
    case ErrorCode::kDamaged: return "DAMAGED";
    case ErrorCode::kFormatVersion: return "FORMAT_VERSION";
    case ErrorCode::kLogClosed: return "LOG_CLOSED";
    case ErrorCode::kLogFull: return "LOG_FULL";
    case ErrorCode::kOffsetOutOfRange: return "OFFSET_OUT_OF_RANGE";
    case ErrorCode::kAlreadyExistsOnDisk: return "ALREADY_EXISTS_ON_DISK";
    case ErrorCode::kNotFoundOnDisk: return "NOT_FOUND_ON_DISK";
    case ErrorCode::kSyncFailed: return "SYNC_FAILED";
    case ErrorCode::kInternal: return "INTERNAL";
  }
  return "INTERNAL";
}

std::string Error::to_string() const {
  std::string text = fmt::format("SUPYO-{} {}: {}", static_cast<int>(code), error_name(code), message);
  if (position) text += fmt::format(" (line {}, column {})", position->line, position->column);
  if (!hint.empty()) text += fmt::format("\n  hint: {}", hint);
  return text;
}

Error Error::with_context(std::string_view context) const {
  Error copy = *this;
  copy.message = fmt::format("{}: {}", context, message);
  return copy;
}

}  // namespace supyo
