#include "connect/stream/schema_registry.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "data/formats/schema_registry.h"

// Confluent's Schema Registry by its REST interface (GET /schemas/ids/N, POST /subjects/S/versions), as others serve it, too. libcurl speaks HTTP and TLS; it is loaded on first use,
// since twenty libraries come with it.
namespace supyo::connect {
namespace {

using Json = nlohmann::json;

constexpr long kConnectMs = 5'000, kRequestMs = 15'000;
constexpr std::size_t kAnswerMost = 16U << 20;
constexpr int kReferencesMost = 100;

#define SUPYO_CURL_ALL(F) \
  F(curl_global_init) F(curl_easy_init) F(curl_easy_setopt) F(curl_easy_perform) F(curl_easy_getinfo) F(curl_easy_cleanup) F(curl_easy_escape) F(curl_easy_strerror) F(curl_free) F(curl_slist_append) F(curl_slist_free_all)

struct Libcurl {
#define SUPYO_CURL_MEMBER(name) decltype(&::name) name = nullptr;
  SUPYO_CURL_ALL(SUPYO_CURL_MEMBER)
#undef SUPYO_CURL_MEMBER
  std::string failure;   // why it is not there

  Libcurl() {
    void* library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);   // stays
    if (library == nullptr) {
      failure = ::dlerror();   // NOLINT: right after the call, under the lock of the first use
      return;
    }
#define SUPYO_CURL_LOAD(name)                                       \
  name = reinterpret_cast<decltype(name)>(::dlsym(library, #name)); \
  if (name == nullptr) failure = "it has no " #name;
    SUPYO_CURL_ALL(SUPYO_CURL_LOAD)
#undef SUPYO_CURL_LOAD
    if (failure.empty() && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) failure = "it cannot begin";
  }
};
const Libcurl& curl() {
  static const Libcurl library;
  return library;
}

struct Answer {
  long status = 0;
  std::string body;
};

std::size_t take(char* data, std::size_t size, std::size_t n, void* to) {
  std::string& body = *static_cast<std::string*>(to);
  if (body.size() + size * n > kAnswerMost) return 0;   // ends the transfer
  body.append(data, size * n);
  return size * n;
}

struct Login {
  std::string user;    ///< "name:password"
  std::string token;
};

class ConfluentRegistry final : public formats::SchemaRegistry {
 public:
  ConfluentRegistry(std::vector<std::string> urls, Login login) : urls_(std::move(urls)), login_(std::move(login)) {}

  Result<std::vector<std::string>> schema(std::int32_t id) override {
    const std::scoped_lock lock(mutex_);
    if (const auto it = schemas_.find(id); it != schemas_.end()) return it->second;
    SUPYO_ASSIGN(const Answer answer, ask(fmt::format("/schemas/ids/{}", id), nullptr));
    if (answer.status == 404) return fail(ErrorCode::kMalformedRecord, fmt::format("the schema registry has no schema {}", id));
    std::vector<std::string> texts;
    SUPYO_TRY(take_schema(answer, texts, 0));
    return schemas_[id] = std::move(texts);
  }

  Result<std::int32_t> number_of(const std::string& subject, const std::string& schema) override {
    const std::scoped_lock lock(mutex_);
    std::int32_t& number = numbers_.try_emplace({subject, schema}, -1).first->second;
    if (number >= 0) return number;
    const std::string body = Json{{"schema", schema}}.dump();
    SUPYO_ASSIGN(const std::string path, escaped(subject));
    SUPYO_ASSIGN(const Answer answer, ask("/subjects/" + path + "/versions", &body));
    if (answer.status == 409 || answer.status == 422 || answer.status == 404)
      return fail(ErrorCode::kBadOptionValue, fmt::format("the schema registry does not take the schema for subject '{}': {}", subject, message(answer)),
                  "give the schema that the subject has: option 'schema' of the format; or another 'subject'");
    const Json json = Json::parse(answer.body, nullptr, false);
    if (answer.status / 100 != 2 || !json.is_object() || !json.contains("id") || !json["id"].is_number_integer()) return odd(answer);
    return number = json["id"].get<std::int32_t>();
  }

 private:
  static std::string message(const Answer& answer) {
    const Json json = Json::parse(answer.body, nullptr, false);
    if (json.is_object() && json.contains("message") && json["message"].is_string()) return fmt::format("{} (status {})", json["message"].get<std::string>(), answer.status);
    return fmt::format("status {}", answer.status);
  }
  std::unexpected<Error> odd(const Answer& answer) const {
    const bool login = answer.status == 401 || answer.status == 403;
    return fail(ErrorCode::kOutsideUnavailable, fmt::format("the schema registry at {} answers {}", urls_.front(), message(answer)),
                login ? "set 'basic-auth.credentials-source' = 'USER_INFO' and 'basic-auth.user-info', or a bearer token" : "is the URL that of a schema registry? Its path may have to end with /apis/ccompat/v7 or the like");
  }

  /// Appends what it refers to, then the schema.
  Status take_schema(const Answer& answer, std::vector<std::string>& texts, int depth) {
    const Json json = Json::parse(answer.body, nullptr, false);
    if (answer.status / 100 != 2 || !json.is_object() || !json.contains("schema") || !json["schema"].is_string()) return odd(answer);
    if (json.contains("schemaType") && json["schemaType"] != "AVRO") return fail(ErrorCode::kMalformedRecord, fmt::format("its schema is {}, not Avro", json["schemaType"].dump()));
    if (json.contains("references") && json["references"].is_array()) {
      for (const Json& r : json["references"]) {
        if (depth > kReferencesMost || !r.is_object() || !r.contains("subject") || !r["subject"].is_string() || !r.contains("version") || !r["version"].is_number_integer()) return odd(answer);
        SUPYO_ASSIGN(const std::string subject, escaped(r["subject"].get<std::string>()));
        SUPYO_ASSIGN(const Answer inner, ask(fmt::format("/subjects/{}/versions/{}", subject, r["version"].get<std::int64_t>()), nullptr));
        SUPYO_TRY(take_schema(inner, texts, depth + 1));
      }
    }
    const std::string text = json["schema"].get<std::string>();
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(text);
    return ok();
  }

  static Status loaded() {
    if (curl().failure.empty()) return ok();
    return fail(ErrorCode::kOutsideUnavailable, fmt::format("libcurl cannot be loaded: {}", curl().failure), "on Debian: apt-get install libcurl4");
  }

  static Result<std::string> escaped(const std::string& text) {
    SUPYO_TRY(loaded());
    char* raw = curl().curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size()));
    std::string out = raw == nullptr ? "" : raw;
    curl().curl_free(raw);
    return out;
  }

  /// Of the first URL that answers at all. `body`: POST.
  Result<Answer> ask(const std::string& path, const std::string* body) {
    SUPYO_TRY(loaded());
    std::string why;
    for (std::size_t i = 0; i < urls_.size(); ++i) {
      auto answer = ask_one(urls_[i] + path, body, why);
      if (answer && (answer->status / 100 != 5 || i + 1 == urls_.size())) return *std::move(answer);
    }
    return fail(ErrorCode::kOutsideUnavailable, fmt::format("the schema registry at {} does not answer: {}", urls_.front(), why), "is it up, and is the format's 'url' its address?");
  }

  std::optional<Answer> ask_one(const std::string& url, const std::string* body, std::string& why) {
    const Libcurl& c = curl();
    const std::unique_ptr<CURL, decltype(c.curl_easy_cleanup)> handle(c.curl_easy_init(), c.curl_easy_cleanup);
    curl_slist* all = c.curl_slist_append(nullptr, "Accept: application/vnd.schemaregistry.v1+json, application/json");
    all = c.curl_slist_append(all, "Content-Type: application/vnd.schemaregistry.v1+json");
    if (!login_.token.empty()) all = c.curl_slist_append(all, ("Authorization: Bearer " + login_.token).c_str());
    const std::unique_ptr<curl_slist, decltype(c.curl_slist_free_all)> headers(all, c.curl_slist_free_all);
    Answer answer;
    const auto set = [&](CURLoption option, auto value) { c.curl_easy_setopt(handle.get(), option, value); };
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
    set(CURLOPT_TIMEOUT_MS, kRequestMs);
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_WRITEFUNCTION, &take);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&answer.body));
    if (!login_.user.empty()) set(CURLOPT_USERPWD, login_.user.c_str());
    if (body != nullptr) {
      set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body->size()));
      set(CURLOPT_POSTFIELDS, body->c_str());
    }
    if (const CURLcode code = c.curl_easy_perform(handle.get()); code != CURLE_OK) {
      why = c.curl_easy_strerror(code);
      return std::nullopt;
    }
    c.curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
  }

  std::vector<std::string> urls_;
  Login login_;
  std::mutex mutex_;
  std::map<std::int32_t, std::vector<std::string>> schemas_;
  std::map<std::pair<std::string, std::string>, std::int32_t> numbers_;
};

}  // namespace

Status attach_schema_registry(formats::FormatOptions& format, const std::string& subject) {
  if (!formats::needs_registry(format.name)) return ok();
  const auto get = [&](std::string_view key) {
    const auto it = std::ranges::find(format.options, key, &std::pair<std::string, std::string>::first);
    return it == format.options.end() ? std::string() : it->second;
  };
  std::string list = get("url");
  if (list.empty()) list = get("schema-registry.url");
  if (list.empty()) return fail(ErrorCode::kMissingOption, fmt::format("format '{}' needs the option '{}.url'", format.name, format.name), "the schema registry's: http://host:8081");
  std::vector<std::string> urls;
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t end = std::min(list.find(',', from), list.size());
    std::string url = list.substr(from, end - from);
    while (url.starts_with(' ')) url.erase(0, 1);
    while (url.ends_with(' ') || url.ends_with('/')) url.pop_back();
    if (!url.starts_with("http://") && !url.starts_with("https://"))
      return fail(ErrorCode::kBadOptionValue, fmt::format("'{}.url' = '{}'", format.name, list), "write http://host:8081, or https://");
    urls.push_back(std::move(url));
    from = end + 1;
  }
  Login login;
  if (const std::string source = get("basic-auth.credentials-source"); source == "USER_INFO") {
    login.user = get("basic-auth.user-info");
    if (login.user.find(':') == std::string::npos) return fail(ErrorCode::kMissingOption, fmt::format("'{}.basic-auth.credentials-source' = 'USER_INFO' needs '{}.basic-auth.user-info'", format.name, format.name), "name:password");
  }
  if (get("bearer-auth.credentials-source") == "STATIC_TOKEN") {
    login.token = get("bearer-auth.token");
    if (login.token.empty()) return fail(ErrorCode::kMissingOption, fmt::format("'{}.bearer-auth.credentials-source' = 'STATIC_TOKEN' needs '{}.bearer-auth.token'", format.name, format.name));
  }
  if (get("subject").empty() && get("schema-registry.subject").empty()) format.options.emplace_back("subject", subject);
  format.registry = std::make_shared<ConfluentRegistry>(std::move(urls), std::move(login));
  return ok();
}

}  // namespace supyo::connect
