#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/signals.h"
#include "lab/scenario/group/member.h"

/// supyo lab-member: a member of a group that a lab starts. Not for people: it is in no list of commands.
namespace supyo::cli {

void add_lab_member(CLI::App& app, Context& context, int& result) {
  auto member = std::make_shared<scenario::GroupMember>();
  CLI::App* sub = app.add_subcommand("lab-member", "a member of a lab's group");
  sub->group("");   // hidden
  scenario::GroupMember& m = *member;
  sub->add_option("--servers", m.servers)->required();
  sub->add_option("--topic", m.topic)->required();
  sub->add_option("--group", m.group)->required();
  sub->add_option("--client", m.client_id)->required();
  sub->add_option("--static", m.static_id);
  sub->add_option("--assignor", m.assignor);
  sub->add_option("--journal", m.journal)->required();
  sub->add_option("--batch", m.batch)->check(CLI::PositiveNumber);
  sub->add_option("--handler-us", m.handler_us);
  sub->add_option("--slow-us", m.slow_us);
  sub->add_option("--slow-times", m.slow_times);
  sub->add_option("--slow-mark", m.slow_mark);
  sub->add_option("--poll-us", m.poll_us)->check(CLI::PositiveNumber);
  sub->add_option("--session-us", m.session_us)->check(CLI::PositiveNumber);
  sub->add_option("--heartbeat-us", m.heartbeat_us)->check(CLI::PositiveNumber);
  sub->callback([member, &context, &result] {
    const Status done = scenario::run_group_member(context.env, *member, stop_requested);
    result = done ? kFine : report(done.error());
  });
}

}  // namespace supyo::cli
