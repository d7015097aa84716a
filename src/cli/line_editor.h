#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/completion.h"

namespace supyo::cli {

/// Reads lines from a terminal with editing, history and completion: arrows, Home, End, Ctrl-A E K U W L, Delete, Tab. UTF-8 aware. Written here because GNU readline's
/// licence does not go with Supyo's. One thread.
class LineEditor {
 public:
  enum class Kind { kText, kEnd, kInterrupted };
  struct Line {
    Kind kind = Kind::kEnd;
    std::string text;
  };

  /// One line. kEnd: Ctrl-D on an empty line, or the terminal went away. kInterrupted: Ctrl-C.
  Line read(std::string_view prompt);
  /// Puts a statement (line breaks become blanks) into the history, once. False when it is there already.
  bool remember(std::string_view statement);
  const std::vector<std::string>& history() const { return history_; }
  /// What Tab offers, between what stands before and behind the cursor. Without it Tab is two blanks.
  std::function<Completion(std::string_view before, std::string_view behind)> completer;

 private:
  enum class Step { kGoOn, kDone, kEnd, kInterrupted };
  Step key(char c);
  void escape_sequence();
  void recall(int direction);
  void insert(std::string_view bytes);
  std::size_t before(std::size_t at) const;
  std::size_t after(std::size_t at) const;
  void erase_word();
  void complete_word();
  void redraw(std::string_view prompt) const;

  std::string text_;
  std::size_t cursor_ = 0;            ///< byte index, always at a character's start
  std::vector<std::string> history_;
  std::size_t recalled_ = 0;          ///< index into history_; its size = the line being typed
  std::string typed_;                 ///< what was there before the history was looked at
};

}  // namespace supyo::cli
