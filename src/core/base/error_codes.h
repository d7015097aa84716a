#pragma once
#include <cstdint>
#include <string_view>

namespace supyo {

/// Every numbered error that Supyo can give. One list, stable numbers: users and tests refer to them.
/// 1xxx configuration and usage, 2xxx SQL, 3xxx running, 4xxx data, 5xxx outside systems, 6xxx storage, 9xxx bug.
enum class ErrorCode : std::uint16_t {
  // 1xxx: configuration and usage
  kUsage = 1001,               ///< wrong command line: exit status 2
  kUnknownOption = 1002,       ///< an option or setting that does not exist (the message suggests the nearest)
  kBadOptionValue = 1003,      ///< an option's value has the wrong type or lies outside its bounds
  kMissingOption = 1004,       ///< a required option is absent
  kFileNotFound = 1005,        ///< a file or directory named by the user does not exist
  kBadConfigFile = 1006,       ///< YAML or JSON configuration that does not parse or does not fit its schema
  kAddressInUse = 1007,        ///< the port to listen on is taken
  kObjectiveInvalid = 1008,    ///< an objective that cannot be met or can never fire
  kNotAllowed = 1009,          ///< refused for safety (option not on the allow-list, non-loopback bind without token, ...)
  // 2xxx: SQL; always with line and column
  kSyntax = 2001,              ///< the text is not SQL of the dialect
  kUnknownTable = 2002,        ///< no such table, view, catalog or database
  kUnknownColumn = 2003,
  kAmbiguousColumn = 2004,
  kUnknownFunction = 2005,
  kTypeMismatch = 2006,        ///< operand, argument or column types do not fit
  kUnsupported = 2007,         ///< valid Flink SQL that Supyo does not run (yet); the hint names the nearest way
  kAlreadyExists = 2008,
  kInvalidQuery = 2009,        ///< grammatical but meaningless (aggregate in WHERE, column not in GROUP BY, ...)
  kSinkCannotTake = 2010,      ///< the sink does not accept the changelog that the query makes
  kUnknownConnector = 2011,
  kNoTimeAttribute = 2012,     ///< a window or OVER needs a time attribute that the column is not
  kInvalidLiteral = 2013,
  // 3xxx: running
  kJobFailed = 3001,
  kStateOfOtherJob = 3002,     ///< the state directory belongs to another job, or the plan does not fit its state
  kStateLocked = 3003,         ///< another process works on this state directory
  kSinkOfOtherJob = 3004,      ///< the sink holds another job's epochs
  kCancelled = 3005,
  kJobNotRunning = 3006,
  kArithmetic = 3007,          ///< overflow, division by zero, failed CAST at run time
  // 4xxx: data; always with source, position and field
  kMalformedRecord = 4001,
  kNullInNotNull = 4002,
  kValueOutOfRange = 4003,
  kTruncatedInput = 4004,
  // 5xxx: outside systems
  kOutsideUnavailable = 5001,
  kOutsideConflict = 5002,     ///< somebody else committed first and the conflict could not be resolved
  kOutsideUnknown = 5003,      ///< the outcome of an operation is not known: look before trying again
  kModuleMissing = 5004,       ///< an optional shared module (Parquet) cannot be loaded
  kProgramMissing = 5005,      ///< a program that Supyo starts (java, mvn, prometheus, ..) is not installed
  // 6xxx: storage
  kIo = 6001,
  kDiskFull = 6002,
  kDamaged = 6003,             ///< bytes that were durable no longer check: file and offset in the message
  kFormatVersion = 6004,       ///< written by a newer Supyo, or not a Supyo file at all
  kLogClosed = 6005,           ///< a sync failed earlier; reopen after the cause is mended
  kLogFull = 6006,
  kOffsetOutOfRange = 6007,
  kAlreadyExistsOnDisk = 6008,
  kNotFoundOnDisk = 6009,
  kSyncFailed = 6010,
  // 9xxx: bugs
  kInternal = 9001,
};

/// The short stable name of a code, as printed and asserted in tests: "SYNTAX" for kSyntax.
std::string_view error_name(ErrorCode code);

}  // namespace supyo
