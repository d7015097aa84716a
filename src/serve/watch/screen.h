#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"
#include "serve/watch/monitor.h"

namespace supyo::watch {

/// What the live view shows and where the reader is in it; keys as in k9s. Knows nothing of the terminal, so that tests can press keys.
///   up/down, j/k: move   Enter: open   Esc: back, clear the filter   /: filter   f: findings   g: groups   J: Flink jobs   s: sort   ?: help   q: quit
class Pages {
 public:
  enum class Page : std::uint8_t { kGroups, kGroup, kFindings, kJobs, kHelp };
  enum class Key : std::uint8_t { kUp, kDown, kPageUp, kPageDown, kEnter, kEscape, kBackspace, kCharacter };
  enum class Style : std::uint8_t { kPlain, kTitle, kHeader, kGood, kRisk, kBad, kUnknown, kDim };
  struct Line {
    std::string text;
    Style style = Style::kPlain;
    bool selected = false;
  };

  /// False: the reader wants to leave. `character` of kCharacter only.
  bool press(Key key, char character, const Report& report);
  /// `height` lines at most, none longer than `width` bytes.
  std::vector<Line> lines(const Report& report, int width, int height) const;
  Page page() const { return page_; }

 private:
  std::vector<const GroupReport*> shown(const Report& report) const;
  std::size_t rows(const Report& report) const;
  void go(Page page);

  Page page_ = Page::kGroups;
  enum class Sort : std::uint8_t { kUrgency, kLag, kName } sort_ = Sort::kUrgency;
  std::size_t row_ = 0;
  std::string group_;       ///< opened
  std::string filter_;
  bool typing_ = false;     ///< of the filter
  mutable std::size_t width_ = 80;   ///< as drawn last: findings take as many lines as it makes of them
};

/// The terminal, through ncurses: drawn where something changed, restored when it is destroyed. One in a process, one thread.
class Screen {
 public:
  /// kNotAllowed: no terminal, or one that ncurses does not know.
  static Result<std::unique_ptr<Screen>> open();
  virtual ~Screen() = default;
  /// Draws, and gives the keys that were pressed since to `pages`. Waits for keys for at most `wait_us`. False: the reader wants to leave.
  virtual bool show(Pages& pages, const Report& report, DurationUs wait_us) = 0;
};

}  // namespace supyo::watch
