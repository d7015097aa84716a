#pragma once
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/net.h"

namespace supyo::connect {

/// "http://127.0.0.1:8081", with or without a path behind it. Addresses, not names, and no TLS. kBadOptionValue.
struct HttpUrl {
  env::NetAddress address;
  std::string path;            ///< "" or "/prefix", without a slash at its end
};
Result<HttpUrl> parse_http_url(std::string_view url);

/// The body of a good answer (2xx) to GET `url.path` + `path`. At most 16 MiB. Errors: kOutsideUnavailable (nobody answers, in time, or not with 2xx: then with the innermost cause that Flink names), kMalformedRecord (not HTTP).
Result<std::string> http_get(const env::Env& env, const HttpUrl& url, std::string_view path, DurationUs timeout_us);
/// The same of POST with a JSON body.
Result<std::string> http_post(const env::Env& env, const HttpUrl& url, std::string_view path, std::string_view json, DurationUs timeout_us);
Result<std::string> http_delete(const env::Env& env, const HttpUrl& url, std::string_view path, DurationUs timeout_us);

/// The body of a whole HTTP/1.1 answer, length-delimited, chunked or until the end. For tests, http_get and http_post.
Result<std::string> http_body(std::string_view answer);

}  // namespace supyo::connect
