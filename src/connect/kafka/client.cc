#include "connect/kafka/client.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>

#include "connect/kafka/kafka.h"
#include "data/log/kafka_batch.h"

namespace supyo::connect {
namespace kafka {
namespace {

constexpr int kWarning = 4;   // syslog levels, as the client uses them

void log_callback(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  if (client == nullptr) return;
  if (auto* listener = static_cast<Listener*>(rd_kafka_opaque(client))) listener->on_log(level, facility, text);
}
void error_callback(rd_kafka_t* client, int code, const char* reason, void* opaque) { static_cast<Listener*>(opaque)->on_error(client, code, reason); }

/// Settings that Debian's 2.0.2 does not know; it goes without them.
bool newer(std::string_view name) { return name == "fetch.queue.backoff.ms" || name == "metadata.recovery.strategy"; }

Status set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value, const std::string& table) {
  char why[256];
  const auto result = rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why);
  if (result == RD_KAFKA_CONF_OK || (result == RD_KAFKA_CONF_UNKNOWN && newer(name))) return ok();
  return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': the Kafka client refuses {} = '{}': {}", table, name, value, why));
}

}  // namespace

std::string Listener::last_complaint() const {
  const std::lock_guard lock(mutex_);
  return complaint_;
}

std::string Listener::fatal() const {
  const std::lock_guard lock(mutex_);
  return fatal_;
}

void Listener::on_log(int level, const char* facility, const char* text) {
  if (level > kWarning) return;
  const std::lock_guard lock(mutex_);
  // The client begins its lines with "[thrd:name]: " and often ends them with how long something took: neither makes two lines differ.
  std::string_view t = text;
  if (t.starts_with("[thrd:"))
    if (const auto end = t.find("]: "); end != std::string_view::npos) t.remove_prefix(end + 3);
  complaint_ = t;
  if (table_.empty()) return;
  const std::string said = fmt::format("{} {}", facility, t.substr(0, t.find(" (after ")));
  if (said == said_) return;
  said_ = said;
  fmt::print(stderr, "supyo: kafka: table '{}': {}\n", table_, t);
}

void Listener::on_error(rd_kafka_t* client, int code, const char* reason) {
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) down_.store(true, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  complaint_ = reason;
  if (code != RD_KAFKA_RESP_ERR__FATAL) return;
  char text[512];
  rd_kafka_fatal_error(client, text, sizeof text);
  fatal_ = text;
}

// Why each: facts.md B1, B2, B4. The client's defaults would jump over lost records without an error, hide loss behind 64 MiB of prefetched records,
// take damaged records for good, spread keys otherwise than Java's clients do, and reorder or repeat records on a retry.
Settings consumer_settings() {
  return {{"allow.auto.create.topics", "false"}, {"auto.offset.reset", "error"},          {"check.crcs", "true"},
          {"enable.auto.commit", "false"},       {"enable.auto.offset.store", "false"},   {"enable.partition.eof", "true"},
          {"fetch.queue.backoff.ms", "2"},       {"fetch.wait.max.ms", "100"},            {"queued.max.messages.kbytes", "16384"},
          {"queued.min.messages", "10000000"},   {"log.connection.close", "false"},       {"reconnect.backoff.max.ms", "1000"}};
}

// Where all brokers are away for a moment, newer clients forget them and bootstrap anew, and a call that adds offsets to a transaction may then wait
// for ever for a coordinator that was forgotten (librdkafka issue 5511). A cluster that comes back elsewhere is found by the job's next client.
Settings producer_settings() {
  return {{"acks", "all"},
          {"allow.auto.create.topics", "false"},
          {"enable.idempotence", "true"},
          {"linger.ms", "5"},
          {"log.connection.close", "false"},
          {"max.in.flight.requests.per.connection", "5"},
          {"message.timeout.ms", "120000"},
          {"metadata.recovery.strategy", "none"},
          {"partitioner", "murmur2_random"},
          {"queue.buffering.max.kbytes", "262144"},
          {"queue.buffering.max.messages", "1000000"},
          {"reconnect.backoff.max.ms", "1000"}};
}

Result<Owned<rd_kafka_t>> make_client(const ClientRequest& r) {
  std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(), rd_kafka_conf_destroy);
  for (const auto& [name, value] : r.producer ? producer_settings() : consumer_settings()) SUPYO_TRY(set(conf.get(), name, value, r.table));
  for (const ClientProperty& p : client_property_list()) {
    const bool ours = p.side == ClientProperty::Side::kBoth || (p.side == ClientProperty::Side::kSink) == r.producer;
    const auto it = r.properties.find(std::string(p.name));
    if (ours && it != r.properties.end() && !p.client.empty()) SUPYO_TRY(set(conf.get(), std::string(p.client), it->second, r.table));
  }
  if (const auto it = r.properties.find("client.id"); it != r.properties.end()) SUPYO_TRY(set(conf.get(), "client.id", it->second, r.table));
  else SUPYO_TRY(set(conf.get(), "client.id", "supyo", r.table));
  SUPYO_TRY(set(conf.get(), "bootstrap.servers", r.servers, r.table));
  for (const auto& [name, value] : r.fixed) SUPYO_TRY(set(conf.get(), name, value, r.table));
  rd_kafka_conf_set_opaque(conf.get(), r.listener);
  rd_kafka_conf_set_log_cb(conf.get(), log_callback);
  rd_kafka_conf_set_error_cb(conf.get(), error_callback);
  if (r.on_delivery != nullptr) rd_kafka_conf_set_dr_msg_cb(conf.get(), r.on_delivery);
  if (r.on_rebalance != nullptr) rd_kafka_conf_set_rebalance_cb(conf.get(), r.on_rebalance);
  if (r.on_commit != nullptr) rd_kafka_conf_set_offset_commit_cb(conf.get(), r.on_commit);
  if (r.on_statistics != nullptr) rd_kafka_conf_set_stats_cb(conf.get(), r.on_statistics);
  char why[512];
  rd_kafka_t* client = rd_kafka_new(r.producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf.get(), why, sizeof why);
  if (client == nullptr) return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': the Kafka client does not start: {}", r.table, why));
  (void)conf.release();   // the client owns it now
  if (!r.producer) rd_kafka_poll_set_consumer(client);
  return Owned<rd_kafka_t>(client);
}

rd_kafka_resp_err_t produce(rd_kafka_t* client, rd_kafka_topic_t* topic, const OutgoingRecord& record) {
  std::array<rd_kafka_vu_t, 8> v{};
  v[0].vtype = RD_KAFKA_VTYPE_RKT;
  v[0].u.rkt = topic;
  v[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  v[1].u.i32 = record.partition;
  v[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  v[2].u.i = RD_KAFKA_MSG_F_COPY;
  // The client tells an absent key or value from an empty one by the pointer.
  const auto bytes = [](rd_kafka_vu_t& to, rd_kafka_vtype_t type, const std::optional<std::string_view>& from) {
    to.vtype = type;
    to.u.mem.ptr = from ? const_cast<char*>(from->empty() ? "" : from->data()) : nullptr;
    to.u.mem.size = from ? from->size() : 0;
  };
  bytes(v[3], RD_KAFKA_VTYPE_KEY, record.key);
  bytes(v[4], RD_KAFKA_VTYPE_VALUE, record.value);
  v[5].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  v[5].u.i64 = record.timestamp_ms;
  v[6].vtype = RD_KAFKA_VTYPE_OPAQUE;
  v[6].u.ptr = record.opaque;
  std::size_t parts = 7;
  rd_kafka_headers_t* headers = nullptr;
  if (!record.headers.empty()) {
    headers = rd_kafka_headers_new(4);
    for (const log::KafkaRecordHeader& h : log::decode_kafka_headers(record.headers))
      (void)rd_kafka_header_add(headers, h.name.data(), static_cast<ssize_t>(h.name.size()), h.value ? h.value->data() : nullptr, h.value ? static_cast<ssize_t>(h.value->size()) : 0);
    v[7].vtype = RD_KAFKA_VTYPE_HEADERS;
    v[7].u.headers = headers;
    parts = 8;
  }
  const ClientError e(rd_kafka_produceva(client, v.data(), parts));
  if (e && headers != nullptr) rd_kafka_headers_destroy(headers);   // the client takes them with the record, or not at all
  return e ? rd_kafka_error_code(e.get()) : RD_KAFKA_RESP_ERR_NO_ERROR;
}

std::unexpected<Error> unavailable(std::string_view what, std::string_view why, const Listener& listener) {
  const std::string complaint = listener.last_complaint();
  return fail(ErrorCode::kOutsideUnavailable, fmt::format("{}: {}{}{}", what, why, complaint.empty() ? "" : "; the client said: ", complaint),
              "check 'properties.bootstrap.servers' and the brokers; what is final is kept");
}

Result<std::int32_t> partition_count(rd_kafka_t* client, const std::string& topic, int timeout_ms, const Listener& listener) {
  const Owned<rd_kafka_topic_t> handle(rd_kafka_topic_new(client, topic.c_str(), nullptr));
  const rd_kafka_metadata_t* answer = nullptr;
  const auto e = rd_kafka_metadata(client, 0, handle.get(), &answer, timeout_ms);
  if (e != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(fmt::format("asking for topic '{}'", topic), rd_kafka_err2str(e), listener);
  const Owned<const rd_kafka_metadata_t> owner(answer);
  if (answer->topic_cnt == 1 && answer->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR && answer->topics[0].partition_cnt > 0) return answer->topics[0].partition_cnt;
  const auto why = answer->topic_cnt == 1 ? answer->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  if (why == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || why == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
    return fail(ErrorCode::kUnknownTable, fmt::format("there is no topic '{}' on the brokers", topic), "create it (kafka-topics.sh --create), or check its name");
  return unavailable(fmt::format("asking for topic '{}'", topic), rd_kafka_err2str(why), listener);
}

Result<std::vector<std::string>> topic_names(rd_kafka_t* client, int timeout_ms, const Listener& listener) {
  const rd_kafka_metadata_t* answer = nullptr;
  const auto e = rd_kafka_metadata(client, 1, nullptr, &answer, timeout_ms);
  if (e != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable("asking for all topics", rd_kafka_err2str(e), listener);
  const Owned<const rd_kafka_metadata_t> owner(answer);
  std::vector<std::string> names;
  for (int i = 0; i < answer->topic_cnt; ++i) names.emplace_back(answer->topics[i].topic);
  return names;
}

}  // namespace kafka

std::string kafka_client_version() {
  std::string text = fmt::format("librdkafka {}", rd_kafka_version_str());
  if (rd_kafka_version() < 0x020c0000)
    text += " (older than the pinned 2.12.1: no leader epochs, no log truncation detection, no KIP-848 groups, no IncrementalAlterConfigs, ListOffsets or DescribeCluster; `make setup` builds the newer one where cargo is)";
  return text;
}
std::vector<std::pair<std::string, std::string>> kafka_source_settings() { return kafka::consumer_settings(); }
std::vector<std::pair<std::string, std::string>> kafka_sink_settings() { return kafka::producer_settings(); }

}  // namespace supyo::connect
