#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "cli/completion.h"
#include "cli/context.h"
#include "cli/rows.h"
#include "engine/job/engine.h"

namespace supyo::cli {

/// A SQL session at the terminal: carries out statements one after the other and prints what they give.
class Shell {
 public:
  static Result<std::unique_ptr<Shell>> create(const Context& context, RowFormat format, const std::string& state_dir, bool talkative);

  /// All statements of `text`; stops at the first that fails and returns its exit status. `name` is for messages.
  int execute(std::string_view text, std::string_view name);
  /// For completion.
  KnownNames names();

 private:
  Shell(const Context& context, RowFormat format, std::string state_dir, bool talkative)
      : context_(context), format_(format), state_dir_(std::move(state_dir)), talkative_(talkative) {}
  Status execute(const syntax::Statement& statement);
  Status run_job(const plan::Job& job);
  Status show_jobs();
  Status stop_job(const syntax::StopJob& stop);
  /// The first column of what SHOW or DESCRIBE lists; nothing when that fails.
  std::vector<std::string> listed(const std::string& statement);

  const Context& context_;
  RowFormat format_;
  std::string state_dir_;
  bool talkative_;                 ///< interactive: says what DDL did
  std::unique_ptr<job::Engine> engine_;
};

}  // namespace supyo::cli
