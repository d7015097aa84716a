#include "serve/watch/screen.h"

#include <curses.h>
#undef timeout
#undef move
#undef erase
#undef refresh
#undef clear

namespace supyo::watch {
namespace {

using Style = Pages::Style;

chtype pair(int n) { return static_cast<chtype>(COLOR_PAIR(n)); }

chtype attributes(Style style, bool colours) {
  // Readable without colour, too: the health is written out, and colour only repeats it.
  switch (style) {
    case Style::kTitle:
    case Style::kHeader: return A_BOLD;
    case Style::kGood: return colours ? pair(1) : 0;
    case Style::kRisk: return colours ? pair(2) : A_BOLD;
    case Style::kBad: return (colours ? pair(3) : 0) | A_BOLD;
    case Style::kUnknown: return colours ? pair(4) : A_BOLD;
    case Style::kDim: return A_DIM;
    case Style::kPlain: return 0;
  }
  return 0;
}

class Curses final : public Screen {
 public:
  explicit Curses(SCREEN* screen) : screen_(screen) {
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    set_escdelay(25);
    colours_ = has_colors() && start_color() == OK;
    if (!colours_) return;
    use_default_colors();
    init_pair(1, COLOR_GREEN, -1);
    init_pair(2, COLOR_YELLOW, -1);
    init_pair(3, COLOR_RED, -1);
    init_pair(4, COLOR_MAGENTA, -1);
  }
  ~Curses() override {
    endwin();
    delscreen(screen_);
  }

  bool show(Pages& pages, const Report& report, DurationUs wait_us) override {
    draw(pages, report);
    wtimeout(stdscr, static_cast<int>(wait_us / kMillisecond));
    for (int key = wgetch(stdscr); key != ERR; key = wgetch(stdscr)) {
      if (!pressed(pages, report, key)) return false;
      wtimeout(stdscr, 0);
      draw(pages, report);
    }
    return true;
  }

 private:
  void draw(const Pages& pages, const Report& report) {
    werase(stdscr);
    int y = 0;
    for (const Pages::Line& l : pages.lines(report, getmaxx(stdscr), getmaxy(stdscr))) {
      wattrset(stdscr, static_cast<int>(attributes(l.style, colours_) | (l.selected ? A_REVERSE : A_NORMAL)));
      mvwaddnstr(stdscr, y++, 0, l.text.c_str(), static_cast<int>(l.text.size()));
    }
    wrefresh(stdscr);
  }
  static bool pressed(Pages& pages, const Report& report, int key) {
    using Key = Pages::Key;
    switch (key) {
      case KEY_UP: return pages.press(Key::kUp, 0, report);
      case KEY_DOWN: return pages.press(Key::kDown, 0, report);
      case KEY_PPAGE: return pages.press(Key::kPageUp, 0, report);
      case KEY_NPAGE: return pages.press(Key::kPageDown, 0, report);
      case KEY_ENTER:
      case '\r':
      case '\n': return pages.press(Key::kEnter, 0, report);
      case 27: return pages.press(Key::kEscape, 0, report);
      case KEY_BACKSPACE:
      case 127:
      case '\b': return pages.press(Key::kBackspace, 0, report);
      default: return key < 32 || key > 126 || pages.press(Key::kCharacter, static_cast<char>(key), report);
    }
  }
  SCREEN* screen_;
  bool colours_ = false;
};

}  // namespace

Result<std::unique_ptr<Screen>> Screen::open() {
  SCREEN* screen = newterm(nullptr, stdout, stdin);
  if (screen == nullptr) return fail(ErrorCode::kNotAllowed, "this terminal is not known (TERM)", "set TERM, or use --json or --plain");
  return std::unique_ptr<Screen>(std::make_unique<Curses>(screen));
}

}  // namespace supyo::watch
