#include <fmt/format.h>

#include <array>

#include "connect/stream/stream_options.h"

namespace supyo::connect {
namespace {

using Side = ClientProperty::Side;

// Names on the left as Java's clients have them (librdkafka's own where Java has none), so that a table for Flink reads the same here.
constexpr ClientProperty kProperties[] = {
    {"metadata.max.age.ms", "metadata.max.age.ms", Side::kBoth, "broker: how old metadata may get"},
    {"reconnect.backoff.ms", "reconnect.backoff.ms", Side::kBoth, "broker: first wait before connecting again"},
    {"reconnect.backoff.max.ms", "reconnect.backoff.max.ms", Side::kBoth, "broker: longest wait before connecting again"},
    {"retry.backoff.ms", "retry.backoff.ms", Side::kBoth, "broker: wait before a request is sent again"},
    {"request.timeout.ms", "socket.timeout.ms", Side::kBoth, "broker: how long an answer may take"},
    {"receive.buffer.bytes", "socket.receive.buffer.bytes", Side::kBoth, "broker: of the socket"},
    {"send.buffer.bytes", "socket.send.buffer.bytes", Side::kBoth, "broker: of the socket"},
    {"security.protocol", "security.protocol", Side::kBoth, "broker: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; certificates are always checked"},
    {"sasl.mechanism", "sasl.mechanism", Side::kBoth, "broker: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"},
    {"sasl.username", "sasl.username", Side::kBoth, "broker: who logs in"},
    {"sasl.password", "sasl.password", Side::kBoth, "broker: with what; write ${VAR} rather than the secret itself"},
    {"sasl.jaas.config", "", Side::kBoth, "broker: `...PlainLoginModule required username=\"..\" password=\"${VAR}\";` (or Scram): name and password are taken from it, no module is loaded"},
    {"ssl.ca.pem", "ssl.ca.pem", Side::kBoth, "broker: the certificate authority's certificate as text; the system's unless given"},
    {"connections.max.idle.ms", "connections.max.idle.ms", Side::kBoth, "broker: a connection without requests is closed after so long"},
    {"client.rack", "client.rack", Side::kSource, "broker: reads from the nearest replica"},
    {"fetch.min.bytes", "fetch.min.bytes", Side::kSource, "broker: a fetch waits for that much"},
    {"fetch.max.wait.ms", "fetch.wait.max.ms", Side::kSource, "broker: and no longer than this"},
    {"fetch.max.bytes", "fetch.max.bytes", Side::kSource, "broker: the most that one fetch gives"},
    {"max.partition.fetch.bytes", "fetch.message.max.bytes", Side::kSource, "broker: and that it gives of one partition"},
    {"queued.max.messages.kbytes", "queued.max.messages.kbytes", Side::kSource, "broker: what a shard fetches ahead, in KiB (16384 unless given: retention may not overtake what is here already, and hides loss)"},
    {"queued.min.messages", "queued.min.messages", Side::kSource, "broker: records of a partition that are fetched ahead"},
    {"check.crcs", "check.crcs", Side::kSource, "broker: whether checksums of records are compared (true unless given)"},
    {"max.poll.records", "", Side::kSource, "accepted; the job's batch size counts"},
    {"session.timeout.ms", "", Side::kSource, "accepted; partitions are dealt out by the job, not by the group"},
    {"heartbeat.interval.ms", "", Side::kSource, "accepted, as session.timeout.ms"},
    {"enable.auto.commit", "", Side::kSource, "accepted; offsets are committed with the epochs"},
    {"allow.auto.create.topics", "", Side::kSource, "accepted; a topic that is not there is an error"},
    {"acks", "acks", Side::kSink, "broker: all unless given; exactly-once needs all"},
    {"compression.type", "compression.type", Side::kSink, "broker: none, gzip, snappy, lz4 or zstd"},
    {"linger.ms", "linger.ms", Side::kSink, "broker: how long a record waits for others (5 unless given)"},
    {"batch.size", "batch.size", Side::kSink, "broker: bytes of a batch of records"},
    {"max.request.size", "message.max.bytes", Side::kSink, "broker: the largest request"},
    {"buffer.memory", "", Side::kSink, "accepted; an epoch's records are kept until it is committed"},
    {"delivery.timeout.ms", "message.timeout.ms", Side::kSink, "broker: how long a record is tried (120000 unless given); at-least-once only"},
    {"enable.idempotence", "", Side::kSink, "accepted; exactly-once is a transaction an epoch, which is idempotent"},
    {"retries", "", Side::kSink, "accepted; a record is tried for delivery.timeout.ms"},
    {"max.block.ms", "", Side::kSink, "accepted; a sink that cannot write waits, and with it the job"},
    {"max.in.flight.requests.per.connection", "max.in.flight.requests.per.connection", Side::kSink, "broker: at most 5"},
};

/// The next word of a JAAS entry, in quotes or not; empty at its end, or where a quote is not closed.
std::string word(std::string_view& rest) {
  const auto skip = [&](std::string_view what) { rest.remove_prefix(std::min(rest.find_first_not_of(what), rest.size())); };
  skip(" \t\r\n");
  if (rest.empty()) return {};
  std::string w;
  if (const char quote = rest.front(); quote == '"' || quote == '\'') {
    for (rest.remove_prefix(1); !rest.empty() && rest.front() != quote; rest.remove_prefix(1)) {
      if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
      w += rest.front();
    }
    if (rest.empty()) return {};
    rest.remove_prefix(1);
    return w;
  }
  const std::size_t end = std::min(rest.find_first_of(" \t\r\n=;\"'"), rest.size());
  w = rest.substr(0, std::max<std::size_t>(end, 1));   // '=' and ';' are words of their own
  rest.remove_prefix(w.size());
  return w;
}

}  // namespace

std::span<const ClientProperty> client_property_list() { return kProperties; }

Result<std::pair<std::string, std::string>> jaas_login(std::string_view text) {
  constexpr std::string_view kHint = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"..\" password=\"${VAR}\";";
  std::string_view rest = text;
  const std::string module = word(rest);
  constexpr std::array<std::string_view, 2> kModules = {"security.plain.PlainLoginModule", "security.scram.ScramLoginModule"};   // under whatever name a build of Flink has moved the package to
  if (std::ranges::none_of(kModules, [&](std::string_view m) { return module.ends_with(m); }))
    return fail(ErrorCode::kUnsupported, fmt::format("'properties.sasl.jaas.config': the login module '{}'", module), fmt::format("PlainLoginModule and ScramLoginModule: {}", kHint));
  const auto wrong = [&](std::string_view what) { return fail(ErrorCode::kBadOptionValue, fmt::format("'properties.sasl.jaas.config': {}", what), std::string(kHint)); };
  word(rest);   // required, requisite, ..: there is one module, so they are the same
  std::pair<std::string, std::string> login;
  bool named = false, known = false;
  for (std::string key = word(rest); key != ";"; key = word(rest)) {
    if (key.empty()) return wrong("it does not end in ';'");
    if (word(rest) != "=") return wrong(fmt::format("'{}' has no value", key));
    std::string value = word(rest);
    if (key == "username") login.first = std::move(value), named = true;
    else if (key == "password") login.second = std::move(value), known = true;
    else return wrong(fmt::format("the option '{}' of the module is not taken", key));
  }
  if (!named || !known) return wrong("a user name and a password are needed");
  return login;
}

}  // namespace supyo::connect
