// SPDX-License-Identifier: MIT
// builder: notices come through a pipe, each after its size.
#include "builder.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "types/wire.hpp"
#include "worker_wire.hpp"

#if defined(AUTORELOAD_WITH_REBUILD)
#include <autoreload/rebuild.hpp>
#endif

namespace autoreload::command {

namespace {

#if defined(AUTORELOAD_WITH_REBUILD)

void send_notice(int file, const build_notice& notice) {
  abi::wire_writer out;
  out.number(notice.bad ? 1 : 0);
  out.text(notice.text);
  const std::string payload = out.take();
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof size);
  bytes += payload;
  write_all(file, bytes.data(), bytes.size());
}

// Its first line says what happened; the others are the errors, each with its place.
build_notice notice_of(const rebuild_event& happened) {
  build_notice made{happened.kind == rebuild_kind::build_failed || happened.kind == rebuild_kind::failed,
                    to_string(happened)};
  for (const diagnostic& one : happened.diagnostics) {
    const std::string line = to_string(one);
    if (one.severity != severity::note && made.text.find(line) == std::string::npos) made.text += "\n  " + line;
  }
  return made;
}

[[noreturn]] void build_until_told(const build_options& options, int notices, int life, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  setpgid(0, 0);  // Ctrl-C is for the program, which then ends this
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  rebuild_options how;
  how.command = options.command;
  how.directory = options.directory;
  how.observer = [notices](const rebuild_event& happened) { send_notice(notices, notice_of(happened)); };
  try {
    const rebuilder one(options.library, std::move(how));
    char byte = 0;
    while (read(life, &byte, 1) < 0 && errno == EINTR) {
    }
  } catch (const std::exception& thrown) {
    send_notice(notices, {true, thrown.what()});
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
  if (made.child_ == 0) {
    made.life_ = unique_fd();  // or it would wait for itself
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
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool builder::read_more() {
  std::array<char, 65536> part;
  const ssize_t got = read(notices_.get(), part.data(), part.size());
  if (got > 0) buffer_.append(part.data(), static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

std::optional<build_notice> builder::next() {
  std::uint32_t size = 0;
  if (buffer_.size() < sizeof size) return std::nullopt;
  std::memcpy(&size, buffer_.data(), sizeof size);
  if (buffer_.size() - sizeof size < size) return std::nullopt;
  abi::wire_reader in(std::string_view(buffer_).substr(sizeof size, size));
  build_notice made;
  made.bad = in.number() != 0;
  made.text = in.text();
  buffer_.erase(0, sizeof size + size);
  return made;
}

}  // namespace autoreload::command
