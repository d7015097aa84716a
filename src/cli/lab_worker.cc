#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/signals.h"
#include "lab/scenario/trial/commit_worker.h"

/// supyo lab-worker: the consumer process that the lab commit-order starts, kills and starts again. Not for people: it is in no list of commands.
namespace supyo::cli {

void add_lab_worker(CLI::App& app, Context& context, int& result) {
  struct Command {
    scenario::CommitWorker worker;
    std::string order;
  };
  auto command = std::make_shared<Command>();
  CLI::App* sub = app.add_subcommand("lab-worker", "a consumer of the lab commit-order");
  sub->group("");   // hidden
  scenario::CommitWorker& w = command->worker;
  sub->add_option("--servers", w.servers)->required();
  sub->add_option("--topic", w.topic)->required();
  sub->add_option("--group", w.group)->required();
  sub->add_option("--member", w.member)->required();
  sub->add_option("--commit", command->order)->required();
  sub->add_option("--journal", w.journal)->required();
  sub->add_option("--output", w.output);
  sub->add_option("--life", w.life);
  sub->add_option("--batch", w.batch)->check(CLI::PositiveNumber);
  sub->add_option("--rate", w.handler)->check(CLI::PositiveNumber);
  sub->add_option("--interval-us", w.interval_us)->check(CLI::PositiveNumber);
  sub->callback([command, &context, &result] {
    const auto order = scenario::commit_order_named(command->order);
    if (!order) {
      result = report(Error{ErrorCode::kUsage, "--commit: no such order"});
      return;
    }
    command->worker.order = *order;
    const Status done = scenario::run_commit_worker(context.env, command->worker, stop_requested);
    result = done ? kFine : report(done.error());
  });
}

}  // namespace supyo::cli
