#include "cli/line_editor.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "cli/context.h"
#include "cli/rows.h"

namespace supyo::cli {
namespace {

constexpr std::size_t kHistoryMax = 1000;
constexpr std::size_t kLineMax = 1 << 20;

/// The terminal hands over single keys while this lives.
class RawMode {
 public:
  RawMode() {
    if (::tcgetattr(STDIN_FILENO, &saved_) != 0) return;
    termios raw = saved_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN | ISIG);
    raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    active_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
  }
  ~RawMode() {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_);
  }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;

 private:
  termios saved_ = {};
  bool active_ = false;
};

bool read_byte(char& c) {
  while (true) {
    const ssize_t n = ::read(STDIN_FILENO, &c, 1);
    if (n == 1) return true;
    if (n < 0 && errno == EINTR) continue;
    return false;
  }
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }
constexpr char control(char letter) { return static_cast<char>(letter - 'A' + 1); }

}  // namespace

LineEditor::Line LineEditor::read(std::string_view prompt) {
  const RawMode raw;
  text_.clear();
  cursor_ = 0;
  recalled_ = history_.size();
  redraw(prompt);
  while (true) {
    char c = 0;
    if (!read_byte(c)) return {Kind::kEnd, {}};
    const Step step = key(c);
    if (step == Step::kGoOn) {
      redraw(prompt);
      continue;
    }
    if (step == Step::kEnd) return {Kind::kEnd, {}};
    cursor_ = text_.size();
    redraw(prompt);
    write_out(step == Step::kInterrupted ? "^C\r\n" : "\r\n");
    return {step == Step::kInterrupted ? Kind::kInterrupted : Kind::kText, text_};
  }
}

LineEditor::Step LineEditor::key(char c) {
  switch (c) {
    case '\r':
    case '\n': return Step::kDone;
    case control('C'): return Step::kInterrupted;
    case control('D'):
      if (text_.empty()) return Step::kEnd;
      if (cursor_ < text_.size()) text_.erase(cursor_, after(cursor_) - cursor_);
      break;
    case control('A'): cursor_ = 0; break;
    case control('E'): cursor_ = text_.size(); break;
    case control('B'): cursor_ = before(cursor_); break;
    case control('F'): cursor_ = after(cursor_); break;
    case control('K'): text_.erase(cursor_); break;
    case control('U'):
      text_.erase(0, cursor_);
      cursor_ = 0;
      break;
    case control('W'): erase_word(); break;
    case control('L'): write_out("\x1b[H\x1b[2J"); break;
    case control('P'): recall(-1); break;
    case control('N'): recall(1); break;
    case control('H'):
    case '\x7f': {
      const std::size_t from = before(cursor_);
      text_.erase(from, cursor_ - from);
      cursor_ = from;
      break;
    }
    case '\t': insert("  "); break;
    case '\x1b': escape_sequence(); break;
    default:
      if (static_cast<unsigned char>(c) >= 0x20) insert(std::string_view(&c, 1));
      break;
  }
  return Step::kGoOn;
}

void LineEditor::escape_sequence() {
  char kind = 0, letter = 0;
  if (!read_byte(kind) || (kind != '[' && kind != 'O') || !read_byte(letter)) return;
  std::string digits;
  while ((letter >= '0' && letter <= '9') || letter == ';') {
    digits += letter;
    if (digits.size() > 8 || !read_byte(letter)) return;
  }
  switch (letter) {
    case 'A': return recall(-1);
    case 'B': return recall(1);
    case 'C': cursor_ = after(cursor_); return;
    case 'D': cursor_ = before(cursor_); return;
    case 'H': cursor_ = 0; return;
    case 'F': cursor_ = text_.size(); return;
    case '~':
      if (digits == "1" || digits == "7") cursor_ = 0;
      if (digits == "4" || digits == "8") cursor_ = text_.size();
      if (digits == "3" && cursor_ < text_.size()) text_.erase(cursor_, after(cursor_) - cursor_);
      return;
    default: return;
  }
}

void LineEditor::recall(int direction) {
  if (direction < 0 ? recalled_ == 0 : recalled_ == history_.size()) return;
  if (recalled_ == history_.size()) typed_ = text_;
  recalled_ = direction < 0 ? recalled_ - 1 : recalled_ + 1;
  text_ = recalled_ == history_.size() ? typed_ : history_[recalled_];
  cursor_ = text_.size();
}

void LineEditor::insert(std::string_view bytes) {
  if (text_.size() + bytes.size() > kLineMax) return;
  text_.insert(cursor_, bytes);
  cursor_ += bytes.size();
}

std::size_t LineEditor::before(std::size_t at) const {
  if (at > 0) --at;
  while (at > 0 && is_continuation(text_[at])) --at;
  return at;
}
std::size_t LineEditor::after(std::size_t at) const {
  if (at < text_.size()) ++at;
  while (at < text_.size() && is_continuation(text_[at])) ++at;
  return at;
}

void LineEditor::erase_word() {
  std::size_t from = cursor_;
  while (from > 0 && text_[from - 1] == ' ') --from;
  while (from > 0 && text_[from - 1] != ' ') --from;
  text_.erase(from, cursor_ - from);
  cursor_ = from;
}

/// The part of the line around the cursor that fits on one row of the terminal.
void LineEditor::redraw(std::string_view prompt) const {
  winsize size = {};
  const std::size_t columns = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
  const std::size_t room = columns - prompt.size() - 1;
  std::size_t from = 0;
  while (display_width(std::string_view(text_).substr(from, cursor_ - from)) > room) from = after(from);
  std::size_t to = text_.size();
  while (to > cursor_ && display_width(std::string_view(text_).substr(from, to - from)) > room) to = before(to);
  const std::size_t back = display_width(std::string_view(text_).substr(cursor_, to - cursor_));
  std::string out = fmt::format("\r\x1b[K{}{}", prompt, std::string_view(text_).substr(from, to - from));
  if (back > 0) out += fmt::format("\x1b[{}D", back);
  write_out(out);
}

void LineEditor::remember(std::string_view statement) {
  std::string line(statement);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  if (line.empty() || (!history_.empty() && history_.back() == line)) return;
  if (history_.size() >= kHistoryMax) history_.erase(history_.begin());
  history_.push_back(std::move(line));
}

}  // namespace supyo::cli
