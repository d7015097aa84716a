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
constexpr std::size_t kShownMax = 100;   // candidates

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

std::size_t terminal_columns() {
  winsize size = {};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/// What is pasted is drawn once.
bool more_typed() {
  int waiting = 0;
  return ::ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting > 0;
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
      if (!more_typed()) redraw(prompt);
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
    case '\t': complete_word(); break;
    case '\x1b': escape_sequence(); break;
    default:
      if (static_cast<unsigned char>(c) >= 0x20) insert(std::string_view(&c, 1));
      break;
  }
  return Step::kGoOn;
}

/// Writes what all candidates begin with; where that adds nothing, shows them.
void LineEditor::complete_word() {
  const bool blank = text_.find_first_not_of(' ') >= cursor_;
  if (!completer || (blank && text_.empty())) return insert("  ");
  const Completion c = completer(std::string_view(text_).substr(0, cursor_), std::string_view(text_).substr(cursor_));
  if (c.candidates.empty() || c.begin > cursor_) return;
  std::string common = c.candidates.front();
  for (const std::string& other : c.candidates) {
    std::size_t same = 0;
    while (same < std::min(common.size(), other.size()) && common[same] == other[same]) ++same;
    while (same > 0 && same < common.size() && is_continuation(common[same])) --same;
    common.resize(same);
  }
  const bool only = c.candidates.size() == 1;
  if (only && !common.ends_with('(')) common += ' ';
  if (only || common.size() > cursor_ - c.begin) {
    text_.replace(c.begin, cursor_ - c.begin, common);
    cursor_ = c.begin + common.size();
    return;
  }
  std::size_t width = 0;
  for (const std::string& candidate : c.candidates) width = std::max(width, display_width(candidate) + 2);
  const std::size_t columns = std::max<std::size_t>(1, terminal_columns() / width), shown = std::min(c.candidates.size(), kShownMax);
  std::string out = "\r\n";
  for (std::size_t i = 0; i < shown; ++i) {
    out += c.candidates[i];
    const bool last = i + 1 == shown || (i + 1) % columns == 0;
    out += last ? std::string("\r\n") : std::string(width - display_width(c.candidates[i]), ' ');
  }
  if (shown < c.candidates.size()) out += fmt::format("and {} more\r\n", c.candidates.size() - shown);
  write_out(out);
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
  const std::size_t room = terminal_columns() - prompt.size() - 1;
  std::size_t from = 0;
  while (display_width(std::string_view(text_).substr(from, cursor_ - from)) > room) from = after(from);
  std::size_t to = text_.size();
  while (to > cursor_ && display_width(std::string_view(text_).substr(from, to - from)) > room) to = before(to);
  const std::size_t back = display_width(std::string_view(text_).substr(cursor_, to - cursor_));
  std::string out = fmt::format("\r\x1b[K{}{}", prompt, std::string_view(text_).substr(from, to - from));
  if (back > 0) out += fmt::format("\x1b[{}D", back);
  write_out(out);
}

bool LineEditor::remember(std::string_view statement) {
  std::string line(statement);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  if (line.empty() || (!history_.empty() && history_.back() == line)) return false;
  if (history_.size() >= kHistoryMax) history_.erase(history_.begin());
  history_.push_back(std::move(line));
  return true;
}

}  // namespace supyo::cli
