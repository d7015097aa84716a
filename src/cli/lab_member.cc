#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <memory>
#include <vector>

#include "cli/context.h"
#include "cli/signals.h"
#include "lab/scenario/group/member.h"

/// supyo lab-member: a member of a group that a lab starts. Not for people: it is in no list of commands.
namespace supyo::cli {

void add_lab_member(CLI::App& app, Context& context, int& result) {
  struct Command {
    scenario::GroupMember member;
    std::uint64_t count = 1;
    DurationUs first_handler_us = -1;
  };
  auto command = std::make_shared<Command>();
  CLI::App* sub = app.add_subcommand("lab-member", "a member of a lab's group");
  sub->group("");   // hidden
  scenario::GroupMember& m = command->member;
  sub->add_option("--servers", m.servers)->required();
  sub->add_option("--topic", m.topic)->required();
  sub->add_option("--group", m.group)->required();
  sub->add_option("--client", m.client_id)->required();
  sub->add_option("--static", m.static_id);
  sub->add_option("--assignor", m.assignor);
  sub->add_option("--journal", m.journal);
  sub->add_option("--statistics", m.statistics);
  sub->add_flag("--compute", m.compute);
  sub->add_option("--count", command->count, "members, each a thread: its number is added to --client and --statistics")->check(CLI::Range(1, 64));
  sub->add_option("--first-handler-us", command->first_handler_us, "of the first of them");
  sub->add_option("--batch", m.batch)->check(CLI::PositiveNumber);
  sub->add_option("--commit-us", m.commit_us);
  sub->add_option("--handler-us", m.handler_us);
  sub->add_option("--slow-us", m.slow_us);
  sub->add_option("--slow-times", m.slow_times);
  sub->add_option("--slow-mark", m.slow_mark);
  sub->add_option("--poll-us", m.poll_us)->check(CLI::PositiveNumber);
  sub->add_option("--session-us", m.session_us)->check(CLI::PositiveNumber);
  sub->add_option("--heartbeat-us", m.heartbeat_us)->check(CLI::PositiveNumber);
  sub->callback([command, &context, &result] {
    const scenario::GroupMember& first = command->member;
    if (command->count == 1) {
      const Status done = scenario::run_group_member(context.env, first, stop_requested);
      result = done ? kFine : report(done.error());
      return;
    }
    std::vector<scenario::GroupMember> members(command->count, first);
    std::vector<Status> done(command->count, ok());
    std::atomic<bool> failed{false};
    {
      std::vector<std::unique_ptr<env::Thread>> threads;
      for (std::size_t i = 0; i < members.size(); ++i) {
        members[i].client_id += fmt::format("-{}", i);
        if (!first.statistics.empty()) members[i].statistics += fmt::format("-{}", i);
        if (i == 0 && command->first_handler_us >= 0) members[i].handler_us = command->first_handler_us;
        threads.push_back(context.env.threads->start("member", [&, i] {
          done[i] = scenario::run_group_member(context.env, members[i], [&] { return failed || stop_requested(); });
          if (!done[i]) failed = true;   // the others end, too
        }));
      }
    }
    for (const Status& d : done)
      if (!d) result = report(d.error());
  });
}

}  // namespace supyo::cli
