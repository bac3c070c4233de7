// SPDX-License-Identifier: MIT
// worker: the parent's side. The child leads a process group of its own, which ends as a whole: also what the library
// has forked.
#include "worker.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "crash_words.hpp"
#include "system/signal_name.hpp"
#include "types/wire.hpp"
#include "worker_child.hpp"

namespace autoreload::command {

namespace {

using clock = std::chrono::steady_clock;

complaint decode_complaint(std::string_view payload) {
  abi::wire_reader in(payload);
  complaint made;
  made.where.begin = in.number();
  made.where.end = in.number();
  made.text = in.text();
  for (std::uint64_t n = in.count(); n != 0 && in.good(); --n) made.notes.emplace_back(in.text());
  return made;
}

shown_result decode_result(std::string_view payload) {
  abi::wire_reader in(payload);
  shown_result made;
  made.name = in.text();
  made.type = in.text();
  made.text = in.text();
  made.json = in.text();
  return made;
}

std::string seconds_text(std::chrono::milliseconds limit) {
  const auto count = limit.count();
  return count % 1000 == 0 ? std::to_string(count / 1000) + " s" : std::to_string(count) + " ms";
}

}  // namespace

bool write_all(int file, const void* bytes, std::size_t size) {
  const char* from = static_cast<const char*>(bytes);
  while (size != 0) {
    const ssize_t put = write(file, from, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    from += put;
    size -= static_cast<std::size_t>(put);
  }
  return true;
}

bool send_message(int file, message_kind kind, std::string_view payload) {
  message_head head{};
  head.size = static_cast<std::uint32_t>(payload.size());
  head.kind = kind;
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes += payload;
  return write_all(file, bytes.data(), bytes.size());
}

result<worker> worker::start(const std::string& path, const type_table& types, const worker_options& options) {
  std::array<int, 2> request{};
  std::array<int, 2> answer{};
  if (pipe2(request.data(), O_CLOEXEC) != 0)
    return error(stage::use, path, "no pipe could be made").system(std::strerror(errno));
  worker made;
  unique_fd child_requests(request[0]);
  made.requests_ = unique_fd(request[1]);
  if (pipe2(answer.data(), O_CLOEXEC) != 0)
    return error(stage::use, path, "no pipe could be made").system(std::strerror(errno));
  made.answers_ = unique_fd(answer[0]);
  unique_fd child_answers(answer[1]);
  made.path_ = path;
  made.options_ = options;

  const pid_t parent = getpid();
  made.child_ = fork();
  if (made.child_ < 0) return error(stage::use, path, "no process could be made").system(std::strerror(errno));
  if (made.child_ == 0) {
    made.child_ = -1;  // the child's copy must not end the child
    serve_expressions(path, type_table(types), options, child_requests.get(), child_answers.get(), parent);
  }
  setpgid(made.child_, made.child_);  // the child does it too: whoever comes first
  made.process_ = unique_fd(static_cast<int>(syscall(SYS_pidfd_open, made.child_, 0)));
  child_requests = unique_fd();
  child_answers = unique_fd();

  const auto deadline = clock::now() + options.limit;
  const std::optional<message> first = made.receive(deadline);
  if (first && first->kind == message_kind::ready) return made;
  if (first && first->kind == message_kind::not_loaded) {
    return error(stage::load, path, "the loader refused the library").system(first->payload);
  }
  return error(stage::load, path,
               "while it was loaded the library " + made.lost({}, clock::now() < deadline, "").words);
}

worker::worker(worker&& other) noexcept { *this = std::move(other); }

worker& worker::operator=(worker&& other) noexcept {
  std::swap(child_, other.child_);
  process_ = std::move(other.process_);
  requests_ = std::move(other.requests_);
  answers_ = std::move(other.answers_);
  buffer_ = std::move(other.buffer_);
  path_ = std::move(other.path_);
  options_ = std::move(other.options_);
  crash_ = other.crash_;
  return *this;
}

worker::~worker() { end(); }

void worker::end() noexcept {
  if (child_ <= 0) return;
  kill(-child_, SIGKILL);
  kill(child_, SIGKILL);
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
}

// Until the buffer has so many bytes. False when the child has ended before, or the time has.
bool worker::fill(std::size_t size, clock::time_point deadline) {
  while (buffer_.size() < size) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    std::array<pollfd, 2> files{pollfd{answers_.get(), POLLIN, 0}, pollfd{process_.get(), POLLIN, 0}};
    const int ready = poll(files.data(), process_ ? 2 : 1, static_cast<int>(std::clamp<long>(left, 0, 60'000)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0 && left > 60'000) continue;
    if (ready <= 0) return false;
    if ((files[0].revents & (POLLIN | POLLHUP)) == 0) return false;  // it has ended, and has said all
    std::array<char, 65536> part;
    const ssize_t got = read(answers_.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    buffer_.append(part.data(), static_cast<std::size_t>(got));
  }
  return true;
}

std::optional<worker::message> worker::receive(clock::time_point deadline) {
  message_head head{};
  if (!fill(sizeof head, deadline)) return std::nullopt;
  std::memcpy(&head, buffer_.data(), sizeof head);
  if (!fill(sizeof head + head.size, deadline)) return std::nullopt;
  message made{head.kind, buffer_.substr(sizeof head, head.size)};
  buffer_.erase(0, sizeof head + head.size);
  if (made.kind == message_kind::crashed && made.payload.size() == sizeof(crash_record)) {
    crash_record record;
    std::memcpy(&record, made.payload.data(), sizeof record);
    crash_ = record;
  }
  return made;
}

reply worker::evaluate(const std::string& expression) {
  reply made;
  crash_.reset();
  std::string calling;
  const auto deadline = clock::now() + options_.limit;
  const auto size = static_cast<std::uint32_t>(expression.size());
  std::string request(reinterpret_cast<const char*>(&size), sizeof size);
  request += expression;
  write_all(requests_.get(), request.data(), request.size());
  for (;;) {
    const std::optional<message> next = receive(deadline);
    if (!next || next->kind == message_kind::crashed) {
      const bool in_time = clock::now() < deadline;
      return lost(std::move(made), in_time, calling);
    }
    switch (next->kind) {
      case message_kind::calling: calling = next->payload; break;
      case message_kind::result: made.results.push_back(decode_result(next->payload)); break;
      case message_kind::done: {
        abi::wire_reader in(next->payload);
        made.took = std::chrono::nanoseconds(in.number());
        return made;
      }
      case message_kind::complained:
        made.is = reply::end::complained;
        made.wrong = decode_complaint(next->payload);
        return made;
      case message_kind::threw:
        made.is = reply::end::crashed;
        made.words = (calling.empty() ? "it" : calling) + " threw a C++ exception: " + next->payload;
        end();
        return made;
      default: break;
    }
  }
}

// The child crashed, ended, or takes too long. One that crashed waits in its handler to be looked at.
reply worker::lost(reply so_far, bool in_time, const std::string& calling) {
  const std::string who = calling.empty() ? "" : calling + " ";
  if (crash_) {
    if (crash_->frames < 0) static_cast<void>(receive(clock::now() + std::chrono::seconds(2)));  // the callers
    so_far.is = reply::end::crashed;
    so_far.words = who + "crashed: " + crash_words(*crash_, child_, path_);
    end();
    return so_far;
  }
  int status = 0;
  // Ended, or about to: what it wrote last was read before its end was.
  pollfd ended{process_.get(), POLLIN, 0};
  const bool gone = poll(&ended, 1, in_time ? 2000 : 0) > 0 && waitpid(child_, &status, WNOHANG) == child_;
  if (!gone) {
    so_far.is = reply::end::hung;
    so_far.words = who + "did not come back within " + seconds_text(options_.limit);
    end();
    return so_far;
  }
  kill(-child_, SIGKILL);
  child_ = -1;
  if (WIFSIGNALED(status)) {
    const char* const name = signal_name(WTERMSIG(status));
    so_far.is = reply::end::crashed;
    so_far.words = who + "was killed by " + (name != nullptr ? name : "signal " + std::to_string(WTERMSIG(status)));
  } else {
    so_far.is = reply::end::ended;
    so_far.words = who + "ended the process with exit status " + std::to_string(WEXITSTATUS(status));
  }
  return so_far;
}

}  // namespace autoreload::command
