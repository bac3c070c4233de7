// SPDX-License-Identifier: MIT
// builder: notices come through a pipe, each after its size.
#include "builder.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "types/wire.hpp"
#include "worker_wire.hpp"

#if defined(AUTORELOAD_WITH_REBUILD)
#include "build_words.hpp"
#endif

namespace autoreload::command {

namespace {

constexpr char build_again = 'b';

#if defined(AUTORELOAD_WITH_REBUILD)

void send_notice(int file, const build_notice& notice) {
  types::wire_writer out;
  out.number(static_cast<std::uint64_t>(notice.is));
  out.text(notice.text);
  out.text(notice.command);
  out.text(notice.saved);
  out.number(notice.saved_at ? static_cast<std::uint64_t>(notice.saved_at->time_since_epoch().count()) : 0);
  out.text(notice.file);
  out.number(notice.line);
  out.number(notice.column);
  const std::string payload = out.take();
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof size);
  bytes += payload;
  write_all(file, bytes.data(), bytes.size());
}

[[noreturn]] void build_until_told(const build_options& options, int notices, int life, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  setpgid(0, 0);  // Ctrl-C is for the program, which then ends this
  // What was typed before that waits for its mask, and would stop this process for good: nobody lets it go on.
  for (const int typed : {SIGINT, SIGTSTP}) {
    std::signal(typed, SIG_IGN);
    std::signal(typed, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  rebuild_options how = rebuilding_of(options);
  std::atomic<const rebuilder*> made{nullptr};  // set when its constructor has returned; its thread may be first
  how.observer = [&](const rebuild_event& happened) {
    build_notice notice = notice_of(happened, options);
    if (const rebuilder* const one = made.load()) {
      notice.command = options.command.empty() ? one->command() : options.command;
    }
    send_notice(notices, notice);
  };
  try {
    rebuilder one(options.library, std::move(how));
    made.store(&one);
    char byte = 0;
    for (;;) {
      const ssize_t got = read(life, &byte, 1);
      if (got < 0 && errno == EINTR) continue;
      if (got != 1 || byte != build_again) break;
      one.rebuild();
    }
    made.store(nullptr);
  } catch (const std::exception& thrown) {
    send_notice(notices, {.is = build_notice::kind::trouble, .text = thrown.what()});
  }
  _exit(0);
}

#endif

}  // namespace

bool builder::available() {
#if defined(AUTORELOAD_WITH_REBUILD)
  return true;
#else
  return false;
#endif
}

result<builder> builder::start(const build_options& options) {
#if defined(AUTORELOAD_WITH_REBUILD)
  std::array<int, 2> notices{};
  std::array<int, 2> life{};
  if (pipe2(notices.data(), O_CLOEXEC) != 0)
    return error(stage::use, {}, "no pipe could be made").system(std::strerror(errno));
  builder made;
  made.notices_ = unique_fd(notices[0]);
  const unique_fd write_end(notices[1]);
  if (pipe2(life.data(), O_CLOEXEC) != 0)
    return error(stage::use, {}, "no pipe could be made").system(std::strerror(errno));
  const unique_fd read_end(life[0]);
  made.life_ = unique_fd(life[1]);
  const pid_t parent = getpid();
  made.child_ = fork();
  if (made.child_ < 0) return error(stage::use, {}, "no process could be made").system(std::strerror(errno));
  fcntl(made.notices_.get(), F_SETFL, O_NONBLOCK);
  if (made.child_ == 0) {
    made.life_ = unique_fd();  // or it would wait for itself
    made.notices_ = unique_fd();
    build_until_told(options, write_end.get(), read_end.get(), parent);
  }
  return made;
#else
  return error(stage::use, options.library, "this program was built without rebuilding");
#endif
}

builder::builder(builder&& other) noexcept
    : child_(std::exchange(other.child_, -1)),
      notices_(std::move(other.notices_)),
      life_(std::move(other.life_)),
      buffer_(std::move(other.buffer_)) {}

builder::~builder() {
  if (child_ <= 0) return;
  // A byte, and not only the end of the pipe: a child of the library's may hold the other copies of the descriptor.
  write_all(life_.get(), "", 1);
  notices_ = unique_fd();  // or it would wait for somebody to read them
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void builder::rebuild() const { write_all(life_.get(), &build_again, 1); }

bool builder::read_more() {
  std::array<char, 65536> part;
  const ssize_t got = read(notices_.get(), part.data(), part.size());
  if (got > 0) buffer_.append(part.data(), static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

std::optional<build_notice> builder::next() {
  std::uint32_t size = 0;
  if (buffer_.size() < sizeof size) return std::nullopt;
  std::memcpy(&size, buffer_.data(), sizeof size);
  if (buffer_.size() - sizeof size < size) return std::nullopt;
  types::wire_reader in(std::string_view(buffer_).substr(sizeof size, size));
  build_notice made;
  made.is = static_cast<build_notice::kind>(in.number());
  made.text = in.text();
  made.command = in.text();
  made.saved = in.text();
  if (const std::uint64_t count = in.number(); count != 0) {
    made.saved_at = std::chrono::system_clock::time_point(
        std::chrono::system_clock::duration(static_cast<std::chrono::system_clock::rep>(count)));
  }
  made.file = in.text();
  made.line = static_cast<std::uint32_t>(in.number());
  made.column = static_cast<std::uint32_t>(in.number());
  buffer_.erase(0, sizeof size + size);
  return made;
}

}  // namespace autoreload::command
