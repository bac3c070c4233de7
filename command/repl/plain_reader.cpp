// SPDX-License-Identifier: MIT
// plain_reader: lines from a pipe, a file, or a terminal without an editor.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "line_reader.hpp"
#include "waiting.hpp"
#include "worker_wire.hpp"

namespace autoreload::command {

namespace {

class plain_reader : public line_reader {
 public:
  plain_reader(reader_needs needs, std::string prompt) : needs_(std::move(needs)), prompt_(std::move(prompt)) {}

  std::optional<std::string> read() override {
    show(prompt_);
    for (;;) {
      if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      if (at_end_) {
        if (buffer_.empty()) return std::nullopt;
        return std::exchange(buffer_, {});
      }
      switch (needs_.wait()) {
        case woken::input: read_more(); break;
        case woken::message: {
          const std::string text = needs_.take_message();
          show((prompt_.empty() ? "" : "\n") + text + prompt_);
          break;
        }
        case woken::interrupt: show("\n" + prompt_); break;
        case woken::resize: break;
        case woken::stop: stop_as_a_job(); break;
        case woken::end: return std::nullopt;
      }
    }
  }

 private:
  static void show(const std::string& text) { write_all(STDERR_FILENO, text.data(), text.size()); }

  void read_more() {
    std::array<char, 65536> part;
    const ssize_t got = ::read(STDIN_FILENO, part.data(), part.size());
    if (got > 0) buffer_.append(part.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) at_end_ = true;
  }

  reader_needs needs_;
  std::string prompt_;
  std::string buffer_;
  bool at_end_ = false;
};

}  // namespace

std::unique_ptr<line_reader> line_reader::plain(reader_needs needs, std::string prompt) {
  return std::make_unique<plain_reader>(std::move(needs), std::move(prompt));
}

}  // namespace autoreload::command
