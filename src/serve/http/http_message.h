#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace supyo::http {

/// A request.
struct Request {
  std::string method;                        ///< "GET"
  std::string path;                          ///< decoded, without the query: "/v1/job"
  std::string query;                         ///< as sent, without the '?'
  std::map<std::string, std::string> headers;  ///< names in lower case; the last of a name wins
  std::string body;                          ///< up to kBodyBytesMax
  std::string_view header(const std::string& lower_name) const {
    const auto found = headers.find(lower_name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

struct Response {
  int status = 200;
  std::string type = "application/json";
  std::string body = {};
  std::string policy = {};   ///< Content-Security-Policy; empty: nothing may be loaded or run
};
/// A plain-text response that says what is wrong.
Response problem(int status, std::string_view what);

/// Longest head and longest body that are read.
inline constexpr std::size_t kHeadBytesMax = 8192;
inline constexpr std::size_t kBodyBytesMax = 64 << 10;

enum class ParseState { kNeedMore, kDone, kBad };
/// Parses the head at the start of `bytes`, and the body that its Content-Length names. Any bytes are safe. kBad: not HTTP/1.x, too long, or a body of unknown length
/// (Transfer-Encoding).
ParseState parse_request(std::string_view bytes, Request& request);

/// Status line, headers and (unless `head_only`) the body.
std::string render_response(const Response& response, bool head_only);

/// Whether a browser page of another site could be behind this request: Host is not this machine's loopback name, or Origin is another site's.
bool is_foreign(const Request& request);

}  // namespace supyo::http
