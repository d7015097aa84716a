#include "cli/log_command.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <optional>

#include "data/formats/columnar.h"
#include "data/formats/format.h"
#include "data/log/inspect.h"
#include "data/log/partition_reader.h"
#include "data/log/partition_writer.h"
#include "data/types/value.h"

namespace supyo::cli {
namespace {

constexpr std::string_view kHelp =
    "supyo log: look into an embedded log\n"
    "\n"
    "  supyo log ls DIR [--json]                      topics, partitions, offsets, consumer groups\n"
    "  supyo log cat DIR/TOPIC [options]              print records\n"
    "      --partition N     only that partition\n"
    "      --from OFFSET     begin there (default: the log start)\n"
    "      --count N         stop after N records\n"
    "      --follow          wait for more, until Ctrl-C\n"
    "      --uncommitted     also records of epochs that are not committed\n"
    "      --json            one object a record: partition, offset, timestamp, key, value\n"
    "  supyo log verify DIR[/TOPIC] [--json]          check every record; exit status 1 when something is damaged\n"
    "  supyo log repair DIR[/TOPIC] [options]         cut damaged partitions where the damage begins\n"
    "      --abandon-staged  also take back prepared epochs whose job will not come back\n"
    "\n"
    "Example: supyo log cat data/log/orders --from 0 --count 5 --json\n";

/// What the command line said.
struct Arguments {
  std::string action;
  std::string path;
  bool json = false;
  bool follow = false;
  bool uncommitted = false;
  bool abandon_staged = false;
  std::optional<std::int64_t> partition;
  std::optional<std::int64_t> from;
  std::optional<std::int64_t> count;
};

Result<Arguments> parse(const std::vector<std::string>& args) {
  const auto usage = [](std::string message) { return fail(ErrorCode::kUsage, std::move(message), "`supyo log --help` shows how it is used"); };
  Arguments a;
  const std::map<std::string_view, bool*> flags{{"--json", &a.json}, {"--follow", &a.follow}, {"--uncommitted", &a.uncommitted}, {"--abandon-staged", &a.abandon_staged}};
  const std::map<std::string_view, std::optional<std::int64_t>*> numbers{{"--partition", &a.partition}, {"--from", &a.from}, {"--count", &a.count}};
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (const auto flag = flags.find(arg); flag != flags.end()) {
      *flag->second = true;
    } else if (const auto number = numbers.find(arg); number != numbers.end()) {
      if (++i == args.size()) return usage(fmt::format("{} needs a number", arg));
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(args[i].data(), args[i].data() + args[i].size(), value);
      if (error != std::errc() || end != args[i].data() + args[i].size() || value < 0) return usage(fmt::format("{} needs a number, not '{}'", arg, args[i]));
      *number->second = value;
    } else if (arg.starts_with("--")) {
      return usage(fmt::format("`supyo log` has no option {}", arg));
    } else if (a.action.empty()) {
      a.action = arg;
    } else if (a.path.empty()) {
      a.path = arg;
    } else {
      return usage(fmt::format("one argument too many: '{}'", arg));
    }
  }
  if (a.action != "ls" && a.action != "cat" && a.action != "verify" && a.action != "repair") return usage(fmt::format("`supyo log` cannot '{}'", a.action));
  if (a.path.empty()) return usage(fmt::format("`supyo log {}` needs a directory", a.action));
  while (a.path.size() > 1 && a.path.back() == '/') a.path.pop_back();
  return a;
}

void append_json_text(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out.append({'\\', c});
    else if (u < 0x20) out += fmt::format("\\u{:04x}", u);
    else out.push_back(c);
  }
  out.push_back('"');
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 10'000'000) return fmt::format("{} kB", bytes / 1000);
  return fmt::format("{} MB", bytes / 1'000'000);
}

Status list(const env::Env& env, const Arguments& a, const LogCommandIo& io) {
  SUPYO_ASSIGN(const log::LogSummary all, log::summarize(env.files, a.path));
  std::string out;
  std::map<std::pair<std::string, PartitionId>, Offset> ends;
  if (!a.json) out += fmt::format("{:<24} {:>9} {:>12} {:>12} {:>12} {:>8} {:>10}\n", "TOPIC", "PARTITION", "START", "COMMITTED", "DURABLE", "SEGMENTS", "SIZE");
  for (const log::TopicSummary& t : all.topics)
    for (const log::PartitionSummary& p : t.partitions) {
      const log::Mark& m = p.mark;
      ends[{t.topic.name, p.partition}] = m.committed_end;
      if (a.json)
        out += fmt::format("{{\"topic\":\"{}\",\"partition\":{},\"log_start\":{},\"committed_end\":{},\"durable_end\":{},\"segments\":{},\"bytes\":{}}}\n", t.topic.name, p.partition.value,
                           m.log_start.value, m.committed_end.value, m.durable_end.value, p.segments, p.bytes);
      else
        out += fmt::format("{:<24} {:>9} {:>12} {:>12} {:>12} {:>8} {:>10}\n", t.topic.name, p.partition.value, m.log_start.value, m.committed_end.value, m.durable_end.value, p.segments,
                           bytes_text(p.bytes));
    }
  if (!a.json && !all.groups.empty()) out += fmt::format("\n{:<24} {:<24} {:>9} {:>12} {:>12}\n", "GROUP", "TOPIC", "PARTITION", "OFFSET", "LAG");
  for (const log::GroupSummary& g : all.groups)
    for (const auto& [key, offset] : g.offsets) {
      const std::int64_t lag = std::max<std::int64_t>(0, ends[key].value - offset.value);
      if (a.json) out += fmt::format("{{\"group\":\"{}\",\"topic\":\"{}\",\"partition\":{},\"offset\":{},\"lag\":{}}}\n", g.group, key.first, key.second.value, offset.value, lag);
      else out += fmt::format("{:<24} {:<24} {:>9} {:>12} {:>12}\n", g.group, key.first, key.second.value, offset.value, lag);
    }
  io.out(out);
  return ok();
}

/// Rows of a columnar frame, as JSON.
Result<std::vector<std::string>> rows_as_json(const log::FrameView& f) {
  SUPYO_ASSIGN(const Schema schema, formats::columns_of(f.head()));
  SUPYO_ASSIGN(const BatchPtr batch, formats::ColumnarDecoder(schema).decode(f.head(), f.parts(), f.count()));
  SUPYO_ASSIGN(const auto encoder, formats::make_encoder({.name = "json", .options = {}}, schema));
  std::vector<std::string> rows(batch->rows);
  for (std::size_t row = 0; row < rows.size(); ++row) encoder->encode(*batch, row, rows[row]);
  return rows;
}

/// `row`: of a columnar frame, as JSON.
void print_record(const log::FrameView& f, std::size_t i, const std::string* row, PartitionId partition, bool json, std::string& out) {
  const std::string_view value = row != nullptr ? std::string_view(*row) : f.value(i);
  if (!json) {
    out.append(value).push_back('\n');
    return;
  }
  out += fmt::format("{{\"partition\":{},\"offset\":{},\"timestamp\":\"{}\",\"key\":", partition.value, f.offset(i).value, format_timestamp(f.timestamps()[i], 6));
  if (const auto key = f.key(i)) append_json_text(out, *key);
  else out += "null";
  out += ",\"value\":";
  if (f.value_is_null(i)) out += "null";
  else append_json_text(out, value);
  out += "}\n";
}

Status cat(const env::Env& env, const Arguments& a, const LogCommandIo& io) {
  SUPYO_ASSIGN(const log::Topic topic, log::open_topic(env.files, env::parent_path(a.path), env::base_name(a.path)));
  struct Source {
    PartitionId partition;
    log::PartitionReader reader;
  };
  std::vector<Source> sources;
  for (std::int32_t p = 0; p < topic.config.partitions; ++p) {
    if (a.partition && *a.partition != p) continue;
    SUPYO_ASSIGN(auto reader, log::PartitionReader::open(env.files, topic, PartitionId(p), {.isolation = a.uncommitted ? log::Isolation::kReadUncommitted : log::Isolation::kReadCommitted, .columnar = true}));
    if (a.from) SUPYO_TRY(reader.seek(Offset(*a.from)));
    sources.push_back({PartitionId(p), std::move(reader)});
  }
  if (sources.empty()) return fail(ErrorCode::kUsage, fmt::format("topic '{}' has no partition {}", topic.name, a.partition.value_or(0)), fmt::format("it has {}", topic.config.partitions));
  std::int64_t left = a.count.value_or(INT64_MAX);
  std::string out;
  while (left > 0 && !io.stopped()) {
    bool read = false;
    for (Source& s : sources) {
      while (left > 0 && !io.stopped()) {
        SUPYO_ASSIGN(const log::FrameView* f, s.reader.next());
        if (f == nullptr) break;
        read = true;
        out.clear();
        std::vector<std::string> rows;
        if (f->columnar()) {
          SUPYO_ASSIGN(rows, rows_as_json(*f));
        }
        for (std::size_t i = f->first(); i < f->count() && left > 0; ++i, --left) print_record(*f, i, rows.empty() ? nullptr : &rows[i], s.partition, a.json, out);
        io.out(out);
        if (a.follow) break;   // all partitions take turns
      }
    }
    if (read) continue;
    if (!a.follow || env.threads == nullptr) break;
    env.threads->idle(kMillisecond);
  }
  return ok();
}

/// A topic's directory, or the log's: (log directory, topic or empty).
Result<std::pair<std::string, std::string>> split_path(const env::Env& env, const std::string& path) {
  SUPYO_ASSIGN(const bool is_topic, env.files.exists(env::join_path(path, "topic")));
  if (is_topic) return std::pair(env::parent_path(path), env::base_name(path));
  return std::pair(path, std::string());
}

Status verify(const env::Env& env, const Arguments& a, const LogCommandIo& io) {
  SUPYO_ASSIGN(const auto where, split_path(env, a.path));
  SUPYO_ASSIGN(const auto checks, log::verify(env.files, where.first, where.second));
  std::optional<Error> first;
  std::string out;
  for (const log::PartitionCheck& c : checks) {
    const log::PartitionReport& r = c.report;
    const std::int64_t start = r.segments.empty() ? r.end.value : r.segments.front().base.value;
    std::int64_t staged = 0;
    for (const auto& s : r.staged) staged += s.end.value - s.begin.value;
    if (a.json) {
      out += fmt::format("{{\"topic\":\"{}\",\"partition\":{},\"ok\":{},\"begin\":{},\"end\":{},\"frames\":{},\"staged\":{},\"torn_bytes\":{}", c.topic, c.partition.value, !r.damage, start,
                         r.end.value, r.frames, staged, r.torn_bytes);
      if (r.damage) {
        out += fmt::format(",\"damage\":{{\"position\":{},\"offset\":{},\"file\":", r.damage->position, r.damage->offset.value);
        append_json_text(out, r.damage->path);
        out += ",\"why\":";
        append_json_text(out, r.damage->why);
        out += "}";
      }
      out += "}\n";
    } else {
      out += fmt::format("{}/{}: {} records in {} frames, offsets {} to {}{}{}: {}\n", c.topic, c.partition.value, r.end.value - start, r.frames, start, r.end.value,
                         staged > 0 ? fmt::format(", {} of them staged for an epoch", staged) : "", r.torn_bytes > 0 ? fmt::format(", {} unacknowledged bytes behind", r.torn_bytes) : "",
                         r.damage ? "DAMAGED" : "ok");
    }
    if (r.damage && !first) first = log::damage_error(*r.damage);
  }
  io.out(out);
  if (first) return fail(std::move(*first));
  return ok();
}

Status repair_topic(const env::Env& env, const std::string& log_directory, const std::string& name, const Arguments& a, const LogCommandIo& io) {
  SUPYO_ASSIGN(const log::Topic topic, log::open_topic(env.files, log_directory, name));
  for (std::int32_t p = 0; p < topic.config.partitions; ++p) {
    if (a.partition && *a.partition != p) continue;
    SUPYO_ASSIGN(const log::Repair r, log::repair_partition(env, topic, PartitionId(p), {.abandon_staged = a.abandon_staged}));
    std::string line = fmt::format("{}/{}: ", topic.name, p);
    if (r.damage) line += fmt::format("was damaged ({} at byte {}: {}), cut {} bytes", r.damage->path, r.damage->position, r.damage->why, r.bytes_cut);
    else line += "was not damaged";
    if (r.records_abandoned > 0) line += fmt::format(", took back {} staged records", r.records_abandoned);
    if (r.transactions_aborted > 0) line += fmt::format(", aborted {} open Kafka transactions", r.transactions_aborted);
    io.out(fmt::format("{}; it ends at offset {}\n", line, r.end.value));
  }
  return ok();
}

Status repair(const env::Env& env, const Arguments& a, const LogCommandIo& io) {
  SUPYO_ASSIGN(const auto where, split_path(env, a.path));
  std::vector<std::string> names{where.second};
  if (where.second.empty()) {
    SUPYO_ASSIGN(names, log::list_topics(env.files, where.first));
  }
  for (const std::string& name : names) SUPYO_TRY(repair_topic(env, where.first, name, a, io));
  return ok();
}

}  // namespace

int run_log_command(const env::Env& env, const std::vector<std::string>& args, const LogCommandIo& io) {
  if (args.empty() || args[0] == "--help" || args[0] == "help" || (args.size() > 1 && args[1] == "--help")) {
    (args.empty() ? io.err : io.out)(kHelp);
    return args.empty() ? 2 : 0;
  }
  const auto report = [&](const Error& e) {
    io.err(e.to_string() + "\n");
    return e.code == ErrorCode::kUsage ? 2 : 1;
  };
  const auto a = parse(args);
  if (!a) return report(a.error());
  const Status done = a->action == "ls" ? list(env, *a, io) : a->action == "cat" ? cat(env, *a, io) : a->action == "verify" ? verify(env, *a, io) : repair(env, *a, io);
  return done ? 0 : report(done.error());
}

}  // namespace supyo::cli
