// SPDX-License-Identifier: MIT
// terminal: the command in a pseudo-terminal, and what a person would see there.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "../support.hpp"

namespace support {

/// As much of a terminal as shows whether a program treats one well: two screens, a cursor, cells of UTF-8.
class screen_model {
 public:
  screen_model(int columns, int rows) { resize(columns, rows); }
  void resize(int columns, int rows) {
    columns_ = columns;
    rows_ = rows;
    for (auto* cells : {&main_, &alternate_}) {
      cells->resize(static_cast<std::size_t>(rows));
      for (auto& row : *cells) row.resize(static_cast<std::size_t>(columns), " ");
    }
    clamp();
  }

  void feed(std::string_view bytes) {
    for (const char c : bytes) take(c);
  }
  std::string row(int y) const {
    std::string text;
    for (const std::string& cell : cells()[static_cast<std::size_t>(y)]) text += cell;
    return text.substr(0, text.find_last_not_of(' ') + 1);
  }
  std::string text() const {
    std::string all;
    for (int y = 0; y < rows_; ++y) all += row(y) + "\n";
    return all;
  }
  bool on_alternate() const { return on_alternate_; }
  bool cursor_shown() const { return cursor_shown_; }
  bool wraps() const { return wraps_; }
  bool coloured() const { return coloured_; }  ///< at any time
  /// Sequences that this model doesn't know: a program should send none.
  const std::string& unknown() const { return unknown_; }

 private:
  using screen_cells = std::vector<std::vector<std::string>>;
  const screen_cells& cells() const { return on_alternate_ ? alternate_ : main_; }
  screen_cells& cells() { return on_alternate_ ? alternate_ : main_; }
  void clamp() {
    x_ = std::min(x_, columns_ - 1);
    y_ = std::min(y_, rows_ - 1);
  }

  void take(char c) {
    if (!sequence_.empty()) {
      sequence_ += c;
      const bool control = sequence_.size() > 1 && sequence_[1] == '[';
      if ((control && sequence_.size() > 2 && c >= '@' && c <= '~') || (!control && sequence_.size() == 2)) {
        if (!control) unknown_ += sequence_.substr(1) + " ";
        if (control) obey();
        sequence_.clear();
      }
      return;
    }
    switch (c) {
      case '\033': sequence_ = "\033"; return;
      case '\r': x_ = 0; return;
      case '\n': line_feed(); return;
      case '\b': x_ = std::max(0, x_ - 1); return;
      case '\a': return;
      default: print(c);
    }
  }

  void print(char c) {
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) {  // goes on with the last cell
      last_->push_back(c);
      return;
    }
    if (x_ >= columns_) {
      if (wraps_) {
        x_ = 0;
        line_feed();
      } else {
        x_ = columns_ - 1;
      }
    }
    last_ = &cells()[static_cast<std::size_t>(y_)][static_cast<std::size_t>(x_++)];
    *last_ = std::string(1, c);
  }

  void line_feed() {
    if (++y_ < rows_) return;
    y_ = rows_ - 1;
    cells().erase(cells().begin());
    cells().emplace_back(static_cast<std::size_t>(columns_), " ");
  }

  void obey() {
    const std::string inside = sequence_.substr(2, sequence_.size() - 3);
    const int number = std::atoi(inside.c_str());
    const auto erase = [&](int row, int from, int to) {
      for (int x = from; x < to; ++x) cells()[static_cast<std::size_t>(row)][static_cast<std::size_t>(x)] = " ";
    };
    switch (sequence_.back()) {
      case 'm': coloured_ = coloured_ || !inside.empty(); return;
      case 'H': {
        const std::size_t semicolon = inside.find(';');
        y_ = std::max(number, 1) - 1;
        x_ = semicolon == std::string::npos ? 0 : std::max(std::atoi(inside.c_str() + semicolon + 1), 1) - 1;
        return clamp();
      }
      case 'J':
        for (int y = number == 2 ? 0 : y_; y < rows_; ++y) erase(y, number == 2 || y > y_ ? 0 : x_, columns_);
        return;
      case 'K': return erase(y_, number == 2 ? 0 : std::min(x_, columns_), columns_);
      case 'G': x_ = std::max(number, 1) - 1; return clamp();
      case 'C': x_ += std::max(number, 1); return clamp();
      case 'D': x_ = std::max(0, x_ - std::max(number, 1)); return;
      case 'A': y_ = std::max(0, y_ - std::max(number, 1)); return;
      case 'B': y_ += std::max(number, 1); return clamp();
      case 'P': {
        auto& line = cells()[static_cast<std::size_t>(y_)];
        for (int i = 0; i < std::max(number, 1); ++i) {
          line.erase(line.begin() + std::min(x_, columns_ - 1));
          line.emplace_back(" ");
        }
        return;
      }
      case '@': {
        auto& line = cells()[static_cast<std::size_t>(y_)];
        for (int i = 0; i < std::max(number, 1); ++i) {
          line.insert(line.begin() + std::min(x_, columns_ - 1), " ");
          line.pop_back();
        }
        return;
      }
      case 'h':
      case 'l': {
        const bool on = sequence_.back() == 'h';
        if (inside == "?1049") {
          if (on) std::swap(x_, kept_x_), std::swap(y_, kept_y_);
          if (!on) std::swap(x_, kept_x_), std::swap(y_, kept_y_);
          on_alternate_ = on;
          if (on)
            alternate_.assign(alternate_.size(), std::vector<std::string>(static_cast<std::size_t>(columns_), " "));
          clamp();
        } else if (inside == "?25") {
          cursor_shown_ = on;
        } else if (inside == "?7") {
          wraps_ = on;
        } else if (inside != "?2026" && inside != "4") {
          unknown_ += sequence_.substr(1) + " ";
        }
        return;
      }
      default: unknown_ += sequence_.substr(1) + " ";
    }
  }

  int columns_ = 0;
  int rows_ = 0;
  int x_ = 0;
  int y_ = 0;
  int kept_x_ = 0;
  int kept_y_ = 0;
  screen_cells main_;
  screen_cells alternate_;
  bool on_alternate_ = false;
  bool cursor_shown_ = true;
  bool wraps_ = true;
  bool coloured_ = false;
  std::string sequence_;
  std::string unknown_;
  std::string* last_ = &nowhere_;
  std::string nowhere_;
};

/// `autoreload` as a shell's foreground job: the process group of its own has a parent in the session, without which
/// the kernel would not stop it.
class terminal {
 public:
  explicit terminal(const std::vector<std::string>& words, int columns = 80, int rows = 24,
                    const std::map<std::string, std::string>& variables = {})
      : model_(columns, rows) {
    const char* const program = std::getenv("AUTORELOAD_COMMAND");
    if (program == nullptr) throw std::runtime_error("AUTORELOAD_COMMAND names no program");
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    size.ws_row = static_cast<unsigned short>(rows);
    int slave = -1;
    std::array<int, 2> reports{};
    if (openpty(&master_, &slave, nullptr, nullptr, &size) != 0 || pipe(reports.data()) != 0)
      throw std::runtime_error("openpty");
    slave_ = slave;
    reports_ = reports[0];
    for (const int file : {master_, slave_, reports_}) fcntl(file, F_SETFD, FD_CLOEXEC);
    tcgetattr(slave_, &before_);
    leader_ = fork();
    if (leader_ == 0) lead(program, words, variables, reports[1]);
    close(reports[1]);
    if (read(reports_, &job_, sizeof job_) != static_cast<ssize_t>(sizeof job_)) throw std::runtime_error("no job");
  }
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;
  ~terminal() {
    kill(job_, SIGKILL);
    kill(job_, SIGCONT);
    kill(leader_, SIGKILL);
    waitpid(leader_, nullptr, 0);
    for (const int file : {master_, slave_, reports_}) close(file);
  }

  /// Waits until what is seen fulfils something.
  testing::AssertionResult until(const std::function<bool(const screen_model&)>& fulfils, const std::string& what) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!fulfils(model_)) {
      if (std::chrono::steady_clock::now() > deadline)
        return testing::AssertionFailure() << "never: " << what << "\n" << model_.text();
      read_more(50);
    }
    return testing::AssertionSuccess();
  }
  testing::AssertionResult shows(const std::string& part) {
    return until([&](const screen_model& m) { return m.text().find(part) != std::string::npos; }, "shows " + part);
  }
  testing::AssertionResult hides(const std::string& part) {
    return until([&](const screen_model& m) { return m.text().find(part) == std::string::npos; }, "hides " + part);
  }
  void type(const std::string& keys) const {
    if (write(master_, keys.data(), keys.size()) < 0) throw std::runtime_error("write");
  }
  void resize(int columns, int rows) {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    size.ws_row = static_cast<unsigned short>(rows);
    model_.resize(columns, rows);
    ioctl(master_, TIOCSWINSZ, &size);  // which sends SIGWINCH
  }
  void signal(int number) const { kill(job_, number); }

  /// The next change of the job: a status of waitpid's.
  int change() {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
      pollfd file{reports_, POLLIN, 0};
      int status = 0;
      if (poll(&file, 1, 20) > 0 && read(reports_, &status, sizeof status) == static_cast<ssize_t>(sizeof status)) {
        read_more(0);
        return status;
      }
      read_more(0);  // a program that can't write can't end
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("it goes on:\n" + model_.text());
    }
  }
  /// As it was before the program started, apart from what it may have printed on the main screen.
  testing::AssertionResult as_before() {
    read_more(0);
    termios now{};
    tcgetattr(slave_, &now);
    if (now.c_lflag != before_.c_lflag || now.c_iflag != before_.c_iflag || now.c_oflag != before_.c_oflag ||
        std::memcmp(now.c_cc, before_.c_cc, sizeof now.c_cc) != 0)
      return testing::AssertionFailure() << "the terminal's mode is another";
    if (model_.on_alternate()) return testing::AssertionFailure() << "the other screen is shown";
    if (!model_.cursor_shown()) return testing::AssertionFailure() << "there is no cursor";
    if (!model_.wraps()) return testing::AssertionFailure() << "long lines are cut";
    return testing::AssertionSuccess();
  }
  const screen_model& model() const { return model_; }
  const std::string& bytes() const { return bytes_; }

 private:
  [[noreturn]] void lead(const char* program, const std::vector<std::string>& words,
                         const std::map<std::string, std::string>& variables, int reports) const {
    setsid();
    ioctl(slave_, TIOCSCTTY, 0);
    std::signal(SIGTTOU, SIG_IGN);
    fcntl(reports, F_SETFD, FD_CLOEXEC);
    const pid_t job = fork();
    if (job == 0) {
      setpgid(0, 0);
      tcsetpgrp(slave_, getpid());
      std::signal(SIGTTOU, SIG_DFL);
      for (const int file : {0, 1, 2}) dup2(slave_, file);
      setenv("TERM", "xterm-256color", 1);
      setenv("LC_ALL", "C.UTF-8", 1);
      unsetenv("NO_COLOR");
      for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
      std::vector<std::string> texts{program};
      texts.insert(texts.end(), words.begin(), words.end());
      std::vector<char*> arguments;
      for (std::string& text : texts) arguments.push_back(text.data());
      arguments.push_back(nullptr);
      execv(program, arguments.data());
      _exit(127);
    }
    if (write(reports, &job, sizeof job) < 0) _exit(1);
    for (int status = 0; waitpid(job, &status, WUNTRACED) > 0;) {
      if (write(reports, &status, sizeof status) < 0 || !WIFSTOPPED(status)) break;
    }
    for (;;) pause();  // the end of a session's leader would hang up the terminal
  }

  void read_more(int milliseconds) {
    pollfd file{master_, POLLIN, 0};
    while (poll(&file, 1, milliseconds) > 0 && (file.revents & POLLIN) != 0) {
      std::array<char, 65536> part;
      const ssize_t got = read(master_, part.data(), part.size());
      if (got <= 0) return;
      const std::string_view text(part.data(), static_cast<std::size_t>(got));
      bytes_ += text;
      model_.feed(text);
      milliseconds = 0;
    }
  }

  screen_model model_;
  termios before_{};
  int master_ = -1;
  int slave_ = -1;
  int reports_ = -1;
  pid_t leader_ = -1;
  pid_t job_ = -1;
  std::string bytes_;
};

}  // namespace support
