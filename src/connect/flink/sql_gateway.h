#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "connect/flink/http_get.h"
#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::connect {

/// A session of a Flink SQL gateway (nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/sql-gateway/rest). Jobs that it starts go on when it is closed. One thread. Needs env.net and env.threads.
class SqlGateway {
 public:
  /// Errors: kOutsideUnavailable (nobody answers).
  static Result<SqlGateway> open(const env::Env& env, const HttpUrl& url, const std::map<std::string, std::string>& settings, DurationUs timeout_us);

  struct Answer {
    std::string job;                                    ///< id of the job that the statement started; empty: none
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;         ///< of a statement that ends; NULL is empty
  };
  /// Carries out one statement and waits until it is known what became of it: an INSERT has started then, not ended. `stopped` ends the waiting with kCancelled.
  /// Errors: kInvalidQuery, with Flink's own reason; kOutsideUnavailable (no answer in time).
  Result<Answer> run(std::string_view sql, DurationUs timeout_us, const std::function<bool()>& stopped = {}) const;
  void close() const;

 private:
  SqlGateway(const env::Env& env, HttpUrl url, std::string session) : env_(env), url_(std::move(url)), session_(std::move(session)) {}
  env::Env env_;
  HttpUrl url_;
  std::string session_;
};

}  // namespace supyo::connect
