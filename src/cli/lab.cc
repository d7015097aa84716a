#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/lab_brokers.h"
#include "cli/lab_cluster.h"
#include "cli/signals.h"
#include "cli/stack_options.h"
#include "core/base/duration.h"
#include "lab/report/report.h"
#include "lab/report/summary.h"
#include "lab/scenario/flink_bench.h"
#include "lab/scenario/group/fit_lab.h"
#include "lab/scenario/group/group_lab.h"
#include "lab/scenario/bench.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/replica/frontier_lab.h"
#include "lab/scenario/replica/real_frontier.h"
#include "lab/scenario/replica/real_trial.h"
#include "lab/scenario/replica/replica_lab.h"
#include "lab/scenario/stream/detection_lab.h"
#include "lab/scenario/stream/stream_lab.h"
#include "lab/scenario/topic/topic_lab.h"
#include "lab/scenario/trial/commit_lab.h"
#include "lab/scenario/trial/publish_lab.h"
#include "lab/scenario/scenario.h"

/// supyo lab list | show NAME | run NAME | report DIR
namespace supyo::cli {
namespace {

constexpr std::string_view kFolder = "scenarios";

struct LabOptions {
  std::string name, on = "embedded", bootstrap, flink, clock = "virtual", out, directory, root = ".";
  std::optional<std::uint64_t> seed;
  std::vector<std::string> knobs;
  bool all = false;
  bool lab_cluster = false;
  bool keep = false;
  bool json = false;
};

/// NAME is a lab of the folder, or a scenario file.
std::string scenario_path(const LabOptions& options) {
  if (options.name.ends_with(".yaml") || options.name.find('/') != std::string::npos) return options.name;
  return env::join_path(env::join_path(options.root, kFolder), options.name + ".yaml");
}

/// A lab of any kind.
using Lab = std::variant<scenario::Scenario, scenario::TopicScenario, scenario::ReplicaScenario, scenario::FrontierScenario, scenario::CommitScenario, scenario::PublishScenario,
                         scenario::StreamScenario, scenario::GroupScenario, scenario::FitScenario, scenario::DetectionScenario>;

Result<Lab> load_either(const Context& context, const std::string& path, bool real) {
  const std::string kind = scenario::scenario_kind(context.env.files, path);
  if (kind == "topic") {
    SUPYO_ASSIGN(auto topic, scenario::load_topic_scenario(context.env.files, path, real));
    return Lab(std::move(topic));
  }
  if (kind == "stream") {
    SUPYO_ASSIGN(auto stream, scenario::load_stream_scenario(context.env.files, path, real));
    return Lab(std::move(stream));
  }
  if (kind == "frontier") {
    SUPYO_ASSIGN(auto frontier, scenario::load_frontier_scenario(context.env.files, path));
    return Lab(std::move(frontier));
  }
  if (kind == "replica") {
    SUPYO_ASSIGN(auto replica, scenario::load_replica_scenario(context.env.files, path));
    return Lab(std::move(replica));
  }
  if (kind == "commit") {
    SUPYO_ASSIGN(auto commit, scenario::load_commit_scenario(context.env.files, path));
    return Lab(std::move(commit));
  }
  if (kind == "publish") {
    SUPYO_ASSIGN(auto publish, scenario::load_publish_scenario(context.env.files, path));
    return Lab(std::move(publish));
  }
  if (kind == "group") {
    SUPYO_ASSIGN(auto group, scenario::load_group_scenario(context.env.files, path));
    return Lab(std::move(group));
  }
  if (kind == "fit") {
    SUPYO_ASSIGN(auto fit, scenario::load_fit_scenario(context.env.files, path));
    return Lab(std::move(fit));
  }
  if (kind == "detection") {
    SUPYO_ASSIGN(auto detection, scenario::load_detection_scenario(context.env.files, path));
    return Lab(std::move(detection));
  }
  SUPYO_ASSIGN(auto pipeline, scenario::load_scenario(context.env.files, path));
  return Lab(std::move(pipeline));
}

Result<Lab> load(const Context& context, const LabOptions& options) {
  auto loaded = load_either(context, scenario_path(options), options.on == "real");
  if (loaded) return loaded;
  if (loaded.error().code != ErrorCode::kFileNotFound && loaded.error().code != ErrorCode::kNotFoundOnDisk) return loaded;
  std::string known;
  if (const auto names = scenario::list_scenarios(context.env.files, env::join_path(options.root, kFolder))) {
    for (const std::string& name : *names) known += (known.empty() ? "" : ", ") + name;
  }
  return fail(ErrorCode::kFileNotFound, fmt::format("there is no lab {}", options.name),
              known.empty() ? "run it where the folder scenarios/ is, or give --root DIR" : fmt::format("there are {}", known));
}

/// Errors in a file's text are shown with the line they are in.
int report_in(const Context& context, const Error& error, const std::string& file) {
  if (!error.position) return report(error);
  const auto text = context.env.files.read_all(file);
  return report(error, text ? std::string_view(*text) : std::string_view(), file);
}

int list(Context& context, const LabOptions& options) {
  const auto names = scenario::list_scenarios(context.env.files, env::join_path(options.root, kFolder));
  if (!names) return report(names.error());
  for (const std::string& name : *names) {
    LabOptions one = options;
    one.name = name;
    const auto lab = load(context, one);
    if (!lab) return report_in(context, lab.error(), scenario_path(one));
    std::visit([&](const auto& l) {
      if (options.json) write_out(fmt::format("{{\"lab\":{},\"title\":{},\"expect\":\"{}\"}}\n", json_string(name), json_string(l.title), scenario::verdict_name(l.expect)));
      else write_out(fmt::format("{:<28} {}\n", name, l.title.empty() ? l.hypothesis : l.title));
    }, *lab);
  }
  return kFine;
}

std::string setup_text(const scenario::Scenario& lab) {
  return fmt::format("pipeline    {}\nobjectives  {}\nworkload    {} at {} a second, seed {}\n", lab.pipeline, lab.objectives, lab.domain, lab.workload.tps, lab.workload.seed);
}

std::string setup_text(const scenario::TopicScenario& lab) {
  std::string text = fmt::format("topic       retention.bytes {}, segment.bytes {}, checked every {}\nproducer    {} of {}, seed {}\n", lab.retention, lab.segment, lab.check, lab.rate, lab.record_size, lab.seed);
  for (const scenario::GroupSpec& g : lab.groups)
    text += fmt::format("group       {}: prefetch {}, commits every {}, reset {}\n", g.name, g.prefetch, g.commit, scenario::reset_name(g.reset));
  return text;
}

std::string setup_text(const scenario::ReplicaScenario& lab) {
  const auto list = [](const std::map<std::string, std::string>& fields) {
    std::string text;
    for (const auto& [name, value] : fields) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
    return text;
  };
  std::string text = fmt::format("cluster     {}\nproducer    {}, seed {}\ntrials      {}\n", list(lab.cluster), list(lab.workload), lab.seed, lab.trials);
  for (const auto& [name, steps] : lab.faults) {
    text += fmt::format("fault       {}:", name);
    for (const scenario::ReplicaStep& s : steps) {
      text += fmt::format(" at {} {}", s.at, scenario::step_name(s.kind));
      for (const auto w : s.who) text += fmt::format(" {}", scenario::who_name(w));
      text += ";";
    }
    text += steps.empty() ? " nothing\n" : "\n";
  }
  return text;
}

std::string setup_text(const scenario::FrontierScenario& lab) {
  const auto list = [](const auto& pairs) {
    std::string text;
    for (const auto& [name, value] : pairs) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
    return text;
  };
  return fmt::format("producer    {}, seed {}\nreplicas    {}\nacks        {}\nlinger      {}\ntrials      {}\n", list(lab.workload), lab.seed, list(lab.replicas), list(lab.acks), fmt::join(lab.linger, ", "), lab.trials);
}

std::string setup_text(const scenario::CommitScenario& lab) {
  std::string text = fmt::format("producer    {} of {}, seed {}\nhandling    {} at most, batches of {}, commits every {}\n", lab.rate, lab.record_size, lab.seed, lab.handler, lab.batch, lab.interval);
  for (const scenario::CommitGroup& g : lab.groups) text += fmt::format("consumer    {}: {}\n", g.name, scenario::commit_order_name(g.order));
  return text;
}

std::string setup_text(const scenario::PublishScenario& lab) {
  std::string text = fmt::format("producer    {} of {}, seed {}\n", lab.rate, lab.record_size, lab.seed);
  for (const scenario::PublishArm& a : lab.arms)
    text += fmt::format("arm         {}: {}; delivery timeout {}, queue {}, idempotence {}\n", a.name,
                        !a.stop.empty() ? fmt::format("the broker stands for {}", a.stop) : !a.resets.empty() ? fmt::format("{} resets of its connections, every {}", a.resets, a.every) : "no fault", a.timeout, a.queue,
                        a.idempotence ? "on" : "off");
  return text;
}

std::string setup_text(const scenario::StreamScenario& lab) {
  std::string text = fmt::format("pipeline    {}\n", lab.pipeline);
  for (const scenario::StreamInput& i : lab.inputs) text += fmt::format("input       {}: {} at {}, {} partitions, seed {}\n", i.topic, i.domain, i.rate, i.partitions, lab.seed);
  for (const scenario::StreamResult& r : lab.results) text += fmt::format("result      {}: {}\n", r.topic, r.id.empty() ? "windows of " + r.size : "each " + r.id + " once");
  for (const auto& [arm, spec] : lab.arms) {
    text += fmt::format("arm         {}:{}", arm, spec.inject ? "" : " no fault");
    for (const auto& values : {spec.knobs, spec.variables})
      for (const auto& [name, value] : values) text += fmt::format(" {}={}", name, value);
    text += "\n";
  }
  return text;
}

std::string setup_text(const scenario::GroupScenario& lab) {
  std::string text = fmt::format("producer    {} of {}, seed {}\ngroup       {} members, {} partitions, batches of {}, {} a record; max.poll.interval {}, session {}\n", lab.rate, lab.record_size, lab.seed, lab.members, lab.partitions, lab.batch, lab.handler,
                                 lab.poll, lab.session);
  for (const scenario::GroupArm& a : lab.arms)
    text += fmt::format("arm         {}: {}{}\n", a.name, !a.slow.empty() ? fmt::format("a record takes {}, {} times", a.slow, a.times) : !a.stop.empty() ? fmt::format("a member stands for {}", a.stop) : "no fault", a.is_static ? "; static members" : "");
  return text;
}

std::string setup_text(const scenario::FitScenario& lab) {
  return fmt::format("sweep       {} members over {} partitions, {} a record, {}\njoin        {} keys, table {}, stream {}\ncauses      {} runs, {} at a time, looked at for {}: {}\n", fmt::join(lab.members, ", "), lab.partitions, lab.handler, lab.window, lab.keys,
                     lab.table, lab.stream, lab.runs, lab.at_once, lab.watch, fmt::join(lab.labels, ", "));
}

std::string setup_text(const scenario::DetectionScenario& lab) { return fmt::format("runs        {}, each with one of {}\n", lab.runs, fmt::join(lab.labels, ", ")); }

std::string fault_text(const scenario::Injection& i) { return fmt::format(", delay at {} of {}", i.point, i.delay); }
std::string fault_text(const scenario::TopicFault& f) {
  using Kind = scenario::TopicFault::Kind;
  return f.kind == Kind::kSlowHandler ? fmt::format(", the handler of {} takes {}", f.group, f.rate)
         : f.kind == Kind::kStop      ? fmt::format(", {} is stopped", f.group)
                                      : fmt::format(", records are deleted up to {} past the committed position of {}", f.past, f.group);
}

template <class AnyLab>
std::string phases_text(const AnyLab& lab) {
  std::string text;
  for (const auto& phase : lab.phases) text += fmt::format("  {:<18} {}{}\n", phase.name, format_duration(phase.length_us), phase.inject ? fault_text(*phase.inject) : "");
  return text;
}
std::string phases_text(const scenario::StreamScenario& lab) {
  std::string text;
  for (const auto& phase : lab.phases) {
    text += fmt::format("  {:<18} {}", phase.name, format_duration(phase.length_us));
    for (const scenario::StreamFault& f : phase.faults) text += fmt::format(", {}{}", scenario::stream_fault_name(f.kind), f.topic.empty() ? f.point.empty() ? "" : " " + f.point : " of " + f.topic);
    text += "\n";
  }
  return text;
}
std::string phases_text(const scenario::ReplicaScenario& lab) { return fmt::format("  {:<18} {}\n  {:<18} {}: {}\n  {:<18} {}\n", "baseline", lab.phases.at("baseline"), "fault", lab.phases.at("fault"), lab.fault, "recovery", lab.phases.at("recovery")); }

std::string phases_text(const scenario::FrontierScenario& lab) { return fmt::format("  {:<18} {}\n  {:<18} {}\n", "warm-up", lab.workload.at("warmup"), "run", lab.workload.at("for")); }
std::string phases_text(const scenario::CommitScenario& lab) {
  return fmt::format("  {:<18} every consumer works\n  {:<18} {} of each, {}, at random within {} of its first record\n  {:<18} until every consumer has reached the end\n", "undisturbed", "kills", lab.kills,
                     lab.clean ? "SIGTERM" : "SIGKILL", lab.after, "to the end");
}
std::string phases_text(const scenario::PublishScenario& lab) { return fmt::format("  {:<18} {}\n  {:<18} as its arm says\n  {:<18} {}, and until every record is reported\n", "undisturbed", lab.before, "fault", "after", lab.after); }
std::string phases_text(const scenario::GroupScenario& lab) { return fmt::format("  {:<18} {}\n  {:<18} as its arm says\n  {:<18} until the group has committed to the end of its topic\n", "undisturbed", lab.before, "fault", "after"); }
std::string phases_text(const scenario::FitScenario& lab) { return fmt::format("  {:<18} {} of {} runs each\n  {:<18} {}\n  {:<18} two topics, one key after the other\n", "causes", lab.watch, lab.at_once, "sweep", lab.window, "join"); }
std::string phases_text(const scenario::DetectionScenario&) { return "  baseline, the trouble, recovery: as long as the seed draws for each run\n"; }

int show(Context& context, const LabOptions& options) {
  const auto lab = load(context, options);
  if (!lab) return report_in(context, lab.error(), scenario_path(options));
  std::visit([](const auto& l) {
    std::string text = fmt::format("{}: {}\n\nhypothesis  {}\n{}knobs\n", l.lab, l.title, l.hypothesis, setup_text(l));
    for (const auto& [name, knob] : l.knobs) {
      text += fmt::format("  {:<18} {}", name, knob.text);
      for (std::size_t i = 0; i < knob.values.size(); ++i) text += (i == 0 ? "   (try " : ", ") + knob.values[i];
      text += knob.values.empty() ? "\n" : ")\n";
    }
    text += "phases\n" + phases_text(l);
    text += "predicts\n";
    for (const scenario::Prediction& prediction : l.predict) text += fmt::format("  {:<18} {} within {:.0f} %\n", prediction.measure, prediction.formula.text(), prediction.within * 100);
    if (l.verdict) text += fmt::format("verdict\n  {}\n", l.verdict->text());
    write_out(text + fmt::format("expected    {}\n", scenario::verdict_name(l.expect)));
  }, *lab);
  return kFine;
}

Status write_files(const Context& context, const scenario::LabResult& result, const std::string& directory) {
  SUPYO_TRY(context.env.files.create_directories(directory));
  SUPYO_TRY(context.env.files.write_atomically(env::join_path(directory, "result.json"), scenario::to_json(result) + "\n"));
  return context.env.files.write_atomically(env::join_path(directory, "report.html"), report::render_html(result));
}

std::string files_line(const std::string& directory) { return fmt::format("report: {}/report.html\n", directory); }

/// Draws the report again from result.json.
int report_again(const Context& context, const LabOptions& options) {
  const auto text = read_text(context, env::join_path(options.directory, "result.json"));
  if (!text) return report(text.error());
  const auto result = scenario::result_from_json(*text);
  if (!result) return report(result.error());
  if (const Status written = write_files(context, *result, options.directory); !written) return report(written.error());
  write_out(options.json ? scenario::to_json(*result) + "\n" : report::render_text(*result) + files_line(options.directory));
  return kFine;
}

class LabRun {
 public:
  LabRun(Context& context, const LabOptions& options) : context_(context), options_(options) {}

  int operator()() {
    const auto result = carry_out();
    if (!result) return report_in(context_, result.error(), scenario_path(options_));
    write_out(options_.json ? scenario::to_json(*result) + "\n" : report::render_text(*result) + files_line(output_directory()));
    return exit_status(*result);
  }

  /// Runs the lab, and writes its files.
  Result<scenario::LabResult> carry_out() {
    if (options_.on != "embedded" && options_.on != "real") return fail(ErrorCode::kUsage, fmt::format("there is no --on {}", options_.on), "--on embedded or --on real");
    if (options_.on == "embedded" && (!options_.bootstrap.empty() || options_.lab_cluster || !options_.flink.empty()))
      return fail(ErrorCode::kUsage, "--bootstrap, --flink and --lab-cluster are of a run on a real cluster", "--on real --bootstrap ADDRESS");
    if (options_.clock != "virtual" && options_.clock != "real") return fail(ErrorCode::kUsage, fmt::format("there is no clock {}", options_.clock), "--clock virtual or real");
    SUPYO_ASSIGN(auto lab, load(context_, options_));
    if (options_.on == "real") SUPYO_TRY(std::visit([](auto& l) { return use_real_knobs(l); }, lab));
    for (const std::string& knob : options_.knobs) SUPYO_TRY(std::visit([&](auto& l) { return scenario::set_knob(l, knob); }, lab));
    auto result = std::visit([&](auto& l) { return run(l); }, lab);
    if (shown_) write_error("\r\x1b[K");
    if (result) SUPYO_TRY(write_files(context_, *result, output_directory()));
    return result;
  }

  static int exit_status(const scenario::LabResult& result) {
    if (result.verdict == result.expected) return kFine;
    return result.verdict == scenario::Verdict::kInvalid ? kUndecided : kBreached;
  }

 private:
  Result<scenario::LabResult> run(scenario::Scenario& lab) {
    if (options_.seed) lab.workload.seed = *options_.seed;
    scenario::RunOptions run = run_options();
    if (options_.on != "real") return scenario::run_scenario(context_.env, lab, *scenario::make_embedded_bench(), run);
    SUPYO_ASSIGN(const scenario::OnFlink on_flink, scenario::load_on_flink(context_.env.files, lab.file));
    lab.pipeline = on_flink.pipeline;
    lab.real_scale = on_flink.scale;
    const auto cluster = flink_and_kafka(lab.lab, run);
    if (!cluster) return fail(cluster.error());
    run.real_clock = true;
    return scenario::run_scenario(context_.env, lab, *scenario::make_flink_bench(context_.env, run), run);
  }
  Result<scenario::LabResult> run(scenario::TopicScenario& lab) {
    if (options_.seed) lab.seed = *options_.seed;
    scenario::RunOptions run = run_options();
    if (options_.on != "real") return scenario::run_topic_scenario(context_.env, lab, run);
    SUPYO_ASSIGN(LabCluster cluster, lab_cluster(context_, options_.bootstrap, options_.lab_cluster, {"kafka"}, run.directory));
    run.cluster = cluster.cluster;
    auto result = scenario::run_topic_scenario(context_.env, lab, run);
    const bool own_data = cluster.child != nullptr;
    cluster.child.reset();
    if (own_data && !run.keep) SUPYO_TRY(context_.env.files.remove_all(run.directory));
    return result;
  }
  Result<scenario::LabResult> run(scenario::ReplicaScenario& lab) {
    if (options_.seed) lab.seed = *options_.seed;
    const scenario::RunOptions run = run_options();
    if (options_.on != "real") return scenario::run_replica_scenario(context_.env, lab, run);
    SUPYO_TRY(own_stack_only(lab.lab));
    SUPYO_ASSIGN(const auto brokers, stack_brokers(context_, "kafka3"));
    return scenario::run_real_replica_scenario(context_.env, *brokers, lab, run);
  }
  Result<scenario::LabResult> run(scenario::FrontierScenario& lab) {
    if (options_.seed) lab.seed = *options_.seed;
    const scenario::RunOptions run = run_options();
    if (options_.on != "real") return scenario::run_frontier_scenario(lab, run);
    SUPYO_TRY(own_stack_only(lab.lab));
    SUPYO_ASSIGN(const auto brokers, stack_brokers(context_, "kafka3"));
    return scenario::run_real_frontier_scenario(context_.env, *brokers, lab, run);
  }

  Result<scenario::LabResult> run(scenario::StreamScenario& lab) {
    if (options_.seed) lab.seed = *options_.seed;
    scenario::RunOptions run = run_options();
    if (options_.on != "real") return scenario::run_stream_scenario(context_.env, lab, run);
    SUPYO_ASSIGN(const LabCluster cluster, flink_and_kafka(lab.lab, run));
    return scenario::run_real_stream_scenario(context_.env, lab, run);
  }

  /// What a job on a real Flink runs between; into `run`, too.
  Result<LabCluster> flink_and_kafka(const std::string& lab, scenario::RunOptions& run) {
    if (options_.bootstrap == "embedded") return fail(ErrorCode::kUnsupported, fmt::format("{} runs on Flink and Kafka, not on Flink and supyo broker", lab), "supyo stack up kafka, and no --bootstrap");
    SUPYO_ASSIGN(LabCluster cluster, lab_cluster(context_, options_.bootstrap, options_.lab_cluster, {"kafka"}, run.directory));
    run.cluster = cluster.cluster;
    SUPYO_ASSIGN(run.flink, flink_directory());
    return cluster;
  }

  /// Where scripts/fetch_flink.sh puts it.
  Result<std::string> flink_directory() const {
    if (!options_.flink.empty()) return options_.flink.starts_with('/') ? options_.flink : env::join_path(context_.working_directory, options_.flink);
    SUPYO_ASSIGN(const stack::StackOptions user, user_stack(context_));
    return env::join_path(env::parent_path(user.downloads), "flink-2.1.3");
  }

  Result<scenario::LabResult> run(scenario::DetectionScenario& lab) {
    if (options_.on == "real") return fail(ErrorCode::kUnsupported, fmt::format("{} has no run on a real cluster", lab.lab), "--on embedded runs it on Supyo's own engine and log");
    if (options_.seed) lab.seed = *options_.seed;
    return scenario::run_detection_scenario(context_.env, lab, run_options());
  }

  /// What the file sets for real brokers; --set comes after it.
  template <class AnyLab>
  static Status use_real_knobs(AnyLab& lab) {
    if constexpr (requires { lab.real; })
      for (const auto& [knob, text] : lab.real) SUPYO_TRY(scenario::set_knob(lab, fmt::format("{}={}", knob, text)));
    return ok();
  }

  /// Labs that stop and kill brokers know those of supyo stack only.
  Status own_stack_only(const std::string& lab) const {
    if (options_.bootstrap.empty()) return ok();
    return fail(ErrorCode::kNotAllowed, fmt::format("{} needs three brokers whose processes it may stop and kill, not {}", lab, options_.bootstrap), "supyo stack up kafka3, and no --bootstrap");
  }

  template <class TrialScenario, class Run>
  Result<scenario::LabResult> run_trials(TrialScenario& lab, Run run_lab) {
    if (options_.seed) lab.seed = *options_.seed;
    scenario::RunOptions run = run_options();
    // Without a cluster such a lab starts `supyo broker` itself: that is what --bootstrap embedded asks for, too.
    if (options_.on == "real" && options_.bootstrap != "embedded") {
      SUPYO_ASSIGN(const LabCluster cluster, lab_cluster(context_, options_.bootstrap, options_.lab_cluster, {"kafka"}, run.directory));
      run.cluster = cluster.cluster;
    }
    return run_lab(context_.env, lab, run);
  }
  Result<scenario::LabResult> run(scenario::CommitScenario& lab) { return run_trials(lab, scenario::run_commit_scenario); }
  Result<scenario::LabResult> run(scenario::PublishScenario& lab) { return run_trials(lab, scenario::run_publish_scenario); }
  Result<scenario::LabResult> run(scenario::FitScenario& lab) { return run_trials(lab, scenario::run_fit_scenario); }
  Result<scenario::LabResult> run(scenario::GroupScenario& lab) { return run_trials(lab, scenario::run_group_scenario); }

  std::string output_directory() const { return options_.out.empty() ? env::join_path("lab-results", env::base_name(options_.name)) : options_.out; }

  scenario::RunOptions run_options() {
    scenario::RunOptions run;
    run.real_clock = options_.clock == "real";
    run.root = options_.root;
    // Absolute: tables name their files by full paths.
    run.directory = env::join_path(output_directory(), "data");
    if (!run.directory.starts_with('/')) run.directory = env::join_path(context_.working_directory, run.directory);
    run.keep = options_.keep;
    run.repeat = fmt::format("supyo lab run {}{}", options_.name, options_.clock == "virtual" ? "" : " --clock " + options_.clock);
    if (options_.on == "real") run.repeat += " --on real";
    if (!options_.bootstrap.empty()) run.repeat += " --bootstrap " + options_.bootstrap;
    if (!options_.flink.empty()) run.repeat += " --flink " + options_.flink;
    if (options_.lab_cluster) run.repeat += " --lab-cluster";
    if (options_.seed) run.repeat += fmt::format(" --seed {}", *options_.seed);
    for (const std::string& knob : options_.knobs) run.repeat += " --set " + knob;
    run.cancelled = stop_requested;
    begin_us_ = context_.env.clock.monotonic_us();
    run.progress = [this](std::string_view arm, double share) { progress(arm, share); };
    return run;
  }

  void progress(std::string_view arm, double share) {
    const TimeUs now = context_.env.clock.monotonic_us();
    if (!context_.error_is_terminal || options_.json || now - shown_us_ < kSecond / 4) return;
    shown_us_ = now;
    shown_ = true;
    std::string line = fmt::format("\r\x1b[K{} arm: {:.0f} %", arm, share * 100);
    const DurationUs took = now - begin_us_;
    if (share > 0.05 && took > kSecond) line += fmt::format(", {} so far", human_duration(took));
    write_error(line);
  }

  Context& context_;
  const LabOptions& options_;
  TimeUs begin_us_ = 0, shown_us_ = 0;
  bool shown_ = false;
};

/// Every lab but the planted variants, one after the other, and a page over all of them.
int run_all(Context& context, const LabOptions& options) {
  if (!options.name.empty() || !options.knobs.empty()) return report(Error{ErrorCode::kUsage, "--all runs every lab as its file says", "leave out NAME and --set, or run one lab by its name"});
  const auto names = scenario::list_scenarios(context.env.files, env::join_path(options.root, kFolder));
  if (!names) return report(names.error());
  const std::string out = options.out.empty() ? "lab-results" : options.out;
  std::vector<std::pair<std::string, scenario::LabResult>> done;
  int status = kFine;
  for (const std::string& name : *names) {
    LabOptions one = options;
    one.name = name;
    one.out = env::join_path(out, name);
    const auto lab = load(context, one);
    if (!lab) return report_in(context, lab.error(), scenario_path(one));
    if (std::visit([](const auto& l) { return l.expect; }, *lab) != scenario::Verdict::kConfirmed) continue;   // planted
    const TimeUs begin_us = context.env.clock.monotonic_us();
    auto result = LabRun(context, one).carry_out();
    if (!result) {
      const int failed = report_in(context, result.error(), scenario_path(one));
      if (result.error().code == ErrorCode::kCancelled) return failed;
      status = failed;   // the others are worth having
      continue;
    }
    if (!options.json) write_out(fmt::format("{:<28} {:<10} {}\n", name, scenario::verdict_name(result->verdict), human_duration(context.env.clock.monotonic_us() - begin_us)));
    if (status == kFine) status = LabRun::exit_status(*result);
    done.emplace_back(name, *std::move(result));
    if (const Status written = context.env.files.write_atomically(env::join_path(out, "index.html"), report::render_index(done)); !written) return report(written.error());
  }
  write_out(options.json ? fmt::format("{{\"report\":{}}}\n", json_string(env::join_path(out, "index.html"))) : fmt::format("report: {}/index.html\n", out));
  return status;
}

}  // namespace

void add_lab(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<LabOptions>();
  CLI::App* sub = app.add_subcommand("lab", "experiments: a hypothesis, a fault, a verdict with a report");
  sub->require_subcommand(1);
  sub->fallthrough();   // --root may stand behind the command too
  sub->add_option("--root", options->root, "the folder that holds scenarios/ and what they name");
  CLI::App* list_command = sub->add_subcommand("list", "the labs there are");
  list_command->add_flag("--json", options->json, "one JSON object a line");
  list_command->callback([options, &context, &result] { result = list(context, *options); });
  CLI::App* show_command = sub->add_subcommand("show", "what a lab claims and how it finds out");
  show_command->add_option("NAME", options->name, "a lab, or a scenario file")->required();
  show_command->callback([options, &context, &result] { result = show(context, *options); });
  CLI::App* run_command = sub->add_subcommand("run", "run both arms and judge (status 3: another verdict than predicted, 4: INVALID)");
  run_command->add_option("NAME", options->name, "a lab, or a scenario file");
  run_command->add_flag("--all", options->all, "every lab but the planted variants, each in its folder of --out, and index.html over all of them");
  run_command->add_option("--on", options->on, "embedded (Supyo's own log), or real (a Kafka cluster, in real time)")->capture_default_str();
  run_command->add_option("--bootstrap", options->bootstrap, "with --on real: the cluster's address, or embedded for a supyo broker of the lab's own; without it what supyo stack runs");
  run_command->add_option("--flink", options->flink, "with --on real, of a lab about a job: where Flink's jars are; without it where scripts/fetch_flink.sh puts them");
  run_command->add_flag("--lab-cluster", options->lab_cluster, "that cluster is there for labs: topics may be made and records deleted");
  run_command->add_option("--clock", options->clock, "virtual (full windows, in seconds) or real (short)");
  run_command->add_option("--seed", options->seed, "seed of the workload");
  run_command->add_option("--set", options->knobs, "KNOB=VALUE")->allow_extra_args(false);
  run_command->add_option("--out", options->out, "folder for report.html and result.json; lab-results/NAME without it");
  run_command->add_flag("--keep", options->keep, "keep the arms' logs and tables (in its data/)");
  run_command->add_flag("--json", options->json, "print the result as JSON");
  run_command->callback([options, &context, &result] {
    if (options->all) result = run_all(context, *options);
    else if (options->name.empty()) result = report(Error{ErrorCode::kUsage, "which lab?", "supyo lab list shows those there are; --all runs them all"});
    else result = LabRun(context, *options)();
  });
  CLI::App* report_command = sub->add_subcommand("report", "draw the report of an earlier run again");
  report_command->add_option("DIR", options->directory, "the folder with result.json")->required();
  report_command->add_flag("--json", options->json, "print the result as JSON");
  report_command->callback([options, &context, &result] { result = report_again(context, *options); });
  sub->footer("Example:\n  supyo lab run lag-blind-sink --out lab-results/lag-blind-sink");
}

}  // namespace supyo::cli
