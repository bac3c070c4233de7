// SPDX-License-Identifier: MIT
// editing_reader: libedit. It asks for a character when it has nothing to do, and that is where the library is watched.
#include "line_reader.hpp"

#if defined(AUTORELOAD_WITH_LIBEDIT)

#include <histedit.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <cwchar>
#include <utility>

#include "screen/terminal_mode.hpp"
#include "screen/text_width.hpp"
#include "worker_wire.hpp"

namespace autoreload::command {

namespace {

constexpr int history_size = 2000;
// Bound to a function of ours, and on no keyboard: what Ctrl-C is turned into.
constexpr wchar_t abandon_key = 0x1f;
constexpr const char* abandon_text = "\x1f";

const char* prompt(EditLine* /*editor*/) { return "> "; }

std::string columns_text(const std::vector<std::string>& choices) {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0;
  const int screen = known ? size.ws_col : 80;
  int widest = 0;
  constexpr std::size_t most = 200;
  const std::size_t shown = std::min(choices.size(), most);
  for (std::size_t i = 0; i < shown; ++i) widest = std::max(widest, columns_of(choices[i]) + 2);
  const int each_row = std::max(1, screen / std::max(widest, 1));
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    text += choices[i];
    const bool ends = (i + 1) % static_cast<std::size_t>(each_row) == 0 || i + 1 == shown;
    text += ends ? "\n" : std::string(static_cast<std::size_t>(widest - columns_of(choices[i])), ' ');
  }
  if (shown < choices.size()) text += "… " + std::to_string(choices.size() - shown) + " more\n";
  return text;
}

class editing_reader : public line_reader {
 public:
  explicit editing_reader(reader_needs needs) : needs_(std::move(needs)), mode_(terminal_use::prompt) {
    std::setlocale(LC_CTYPE, "");  // libedit reads and shows what the terminal's character set says
    editor_ = el_init("autoreload", stdin, stdout, stderr);
    history_ = history_init();
    HistEvent event;
    history(history_, &event, H_SETSIZE, history_size);
    history(history_, &event, H_SETUNIQUE, 1);
    if (!needs_.history_file.empty()) history(history_, &event, H_LOAD, needs_.history_file.c_str());
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &prompt);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_SIGNAL, 0);  // they come by a descriptor
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_GETCFN, &editing_reader::next_character);
    el_set(editor_, EL_ADDFN, "complete", "complete what is before the cursor", &editing_reader::complete_line);
    el_set(editor_, EL_BIND, "^I", "complete", nullptr);
    el_set(editor_, EL_ADDFN, "abandon", "give up the line", &editing_reader::abandon_line);
    el_set(editor_, EL_BIND, abandon_text, "abandon", nullptr);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(editor_, nullptr);  // the user's ~/.editrc
    mode_.enter();
  }
  editing_reader(const editing_reader&) = delete;
  editing_reader& operator=(const editing_reader&) = delete;
  ~editing_reader() override {
    HistEvent event;
    if (!needs_.history_file.empty()) history(history_, &event, H_SAVE, needs_.history_file.c_str());
    el_end(editor_);
    history_end(history_);
  }

  std::optional<std::string> read() override {
    int count = 0;
    const char* const got = el_gets(editor_, &count);
    mode_.enter();  // libedit has turned the echo on
    if (got == nullptr || count <= 0) {
      write_all(STDOUT_FILENO, "\n", 1);
      return std::nullopt;
    }
    std::string line(got, static_cast<std::size_t>(count));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    if (line.find_first_not_of(" \t") != std::string::npos) {
      HistEvent event;
      history(history_, &event, H_ENTER, line.c_str());
    }
    return line;
  }

 private:
  static editing_reader& of(EditLine* editor) {
    void* data = nullptr;
    el_get(editor, EL_CLIENTDATA, &data);
    return *static_cast<editing_reader*>(data);
  }

  static int next_character(EditLine* editor, wchar_t* into) { return of(editor).next(into); }

  int next(wchar_t* into) {
    for (;;) {
      switch (needs_.wait()) {
        case woken::input: {
          char byte = 0;
          if (::read(STDIN_FILENO, &byte, 1) != 1) return 0;
          // What Ctrl-D becomes that was typed while no line was edited.
          if (byte == 0) byte = 'D' - '@';
          wchar_t made = 0;
          const std::size_t used = std::mbrtowc(&made, &byte, 1, &shift_);
          if (used == static_cast<std::size_t>(-2)) continue;  // a part of a character
          if (used == static_cast<std::size_t>(-1)) {
            shift_ = {};
            continue;
          }
          *into = made;
          return 1;
        }
        case woken::message: print_above(needs_.take_message()); break;
        case woken::interrupt: *into = abandon_key; return 1;
        case woken::resize: el_resize(editor_); break;
        case woken::stop:
          el_set(editor_, EL_PREP_TERM, 0);
          mode_.stop();
          el_set(editor_, EL_PREP_TERM, 1);
          el_set(editor_, EL_REFRESH);
          break;
        case woken::end: return 0;
      }
    }
  }

  void print_above(const std::string& text) {
    std::string whole = "\r\033[K";
    for (const char c : text) {  // the terminal's own line ends are off while a line is edited
      if (c == '\n') whole += '\r';
      whole += c;
    }
    write_all(STDOUT_FILENO, whole.data(), whole.size());
    el_set(editor_, EL_REFRESH);
  }

  static unsigned char complete_line(EditLine* editor, int /*key*/) {
    editing_reader& self = of(editor);
    const LineInfo* const line = el_line(editor);
    const std::string before(line->buffer, static_cast<std::size_t>(line->cursor - line->buffer));
    const completion found = self.needs_.complete(before);
    if (found.choices.empty()) return CC_REFRESH_BEEP;
    const std::string start = common_start(found.choices);
    const std::size_t there = before.size() - found.begin;
    if (start.size() > there) return el_insertstr(editor, start.c_str() + there) < 0 ? CC_ERROR : CC_REFRESH;
    if (found.choices.size() == 1) return CC_REFRESH;
    self.print_above(std::string("> ") + before + "\n" + columns_text(found.choices));
    return CC_REDISPLAY;
  }

  static unsigned char abandon_line(EditLine* editor, int /*key*/) {
    const LineInfo* const line = el_line(editor);
    const auto size = static_cast<int>(line->lastchar - line->buffer);
    of(editor).print_above("> " + std::string(line->buffer, static_cast<std::size_t>(size)) + "^C\n");
    el_cursor(editor, static_cast<int>(line->lastchar - line->cursor));
    el_deletestr(editor, size);
    return CC_REDISPLAY;
  }

  reader_needs needs_;
  terminal_mode mode_;  // before libedit, which goes back to what it finds
  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
  std::mbstate_t shift_{};
};

}  // namespace

std::unique_ptr<line_reader> line_reader::editing(reader_needs needs) {
  return std::make_unique<editing_reader>(std::move(needs));
}

}  // namespace autoreload::command

#else

namespace autoreload::command {
std::unique_ptr<line_reader> line_reader::editing(reader_needs /*needs*/) { return nullptr; }
}  // namespace autoreload::command

#endif
