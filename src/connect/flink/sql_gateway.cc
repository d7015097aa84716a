#include "connect/flink/sql_gateway.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace supyo::connect {
namespace {

using Json = nlohmann::json;

constexpr DurationUs kPause = 50 * kMillisecond;

Result<Json> parsed(const Result<std::string>& answer) {
  if (!answer) return fail(answer.error());
  Json json = Json::parse(*answer, nullptr, false);
  if (!json.is_object()) return fail(ErrorCode::kMalformedRecord, "the gateway answered something that is no JSON object", "is this the address of a Flink SQL gateway?");
  return json;
}

std::string text_of(const Json& value) { return value.is_null() ? std::string() : value.is_string() ? value.get<std::string>() : value.dump(); }

/// A statement that is wrong is an internal error of the server to Flink: its reason is what counts.
Result<Json> answered(const Result<std::string>& answer) {
  constexpr std::string_view kReason = "answered 500 Internal Server Error: ";
  if (!answer)
    if (const std::size_t at = answer.error().message.find(kReason); at != std::string::npos) return fail(ErrorCode::kInvalidQuery, "Flink: " + answer.error().message.substr(at + kReason.size()));
  return parsed(answer);
}

/// Adds what a page of a result holds; the path of the next one, empty after the last.
std::string take(const Json& page, SqlGateway::Answer& answer) {
  answer.job = page.value("jobID", answer.job);
  const Json results = page.value("results", Json::object());
  if (answer.columns.empty())
    for (const Json& column : results.value("columns", Json::array())) answer.columns.push_back(column.value("name", ""));
  for (const Json& row : results.value("data", Json::array())) {
    std::vector<std::string> values;
    for (const Json& field : row.value("fields", Json::array())) values.push_back(text_of(field));
    answer.rows.push_back(std::move(values));
  }
  return page.value("resultType", "") == "EOS" ? "" : page.value("nextResultUri", "");
}

}  // namespace

Result<SqlGateway> SqlGateway::open(const env::Env& env, const HttpUrl& url, const std::map<std::string, std::string>& settings, DurationUs timeout_us) {
  SUPYO_ASSIGN(const Json session, parsed(http_post(env, url, "/v1/sessions", Json{{"properties", settings}}.dump(), timeout_us)));
  if (!session.contains("sessionHandle")) return fail(ErrorCode::kMalformedRecord, "the gateway gave no session", "is this the address of a Flink SQL gateway?");
  return SqlGateway(env, url, session.value("sessionHandle", ""));
}

Result<SqlGateway::Answer> SqlGateway::run(std::string_view sql, DurationUs timeout_us, const std::function<bool()>& stopped) const {
  SUPYO_ASSIGN(const Json opened, answered(http_post(env_, url_, fmt::format("/v1/sessions/{}/statements", session_), Json{{"statement", sql}}.dump(), timeout_us)));
  std::string next = fmt::format("/v2/sessions/{}/operations/{}/result/0?rowFormat=JSON", session_, opened.value("operationHandle", ""));
  Answer answer;
  for (const TimeUs until = env_.clock.monotonic_us() + timeout_us; !next.empty();) {
    SUPYO_ASSIGN(const Json page, answered(http_get(env_, url_, next, timeout_us)));
    if (page.value("resultType", "") != "NOT_READY") {
      next = take(page, answer);
      if (!answer.job.empty()) break;   // what a job gives to the session nobody reads
      continue;
    }
    if (stopped && stopped()) return fail(ErrorCode::kCancelled, "stopped while Flink carried out a statement");
    if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kOutsideUnavailable, fmt::format("Flink's SQL gateway has not carried out a statement within {} s", timeout_us / kSecond));
    env_.threads->idle(kPause);
  }
  return answer;
}

void SqlGateway::close() const { (void)http_delete(env_, url_, "/v1/sessions/" + session_, 5 * kSecond); }

}  // namespace supyo::connect
