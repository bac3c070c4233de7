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
  types::wire_reader in(payload);
  complaint made;
  made.where.begin = in.number();
  made.where.end = in.number();
  made.text = in.text();
  for (std::uint64_t n = in.count(); n != 0 && in.good(); --n) made.notes.emplace_back(in.text());
  return made;
}

shown_result decode_result(std::string_view payload) {
  types::wire_reader in(payload);
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

result<worker> worker::start(const std::string& path, const type_table& types, const worker_options& options) {
  result<worker> made = spawn(path, types, options);
  if (!made) return made;
  std::optional<reply> came;
  while (!came) came = made->take(made->deadline());
  if (came->is == reply::end::good) return made;
  return not_started(*came, path);
}

error not_started(const reply& came, const std::string& path) {
  if (came.is == reply::end::refused) {
    return error(stage::load, path, "the loader refused the library").system(came.words);
  }
  return error(stage::load, path, "while it was loaded the library " + came.words);
}

result<worker::pipes> worker::connect() {
  std::array<int, 2> request{};
  std::array<int, 2> answer{};
  const auto fail = [&] { return error(stage::use, path_, "no pipe could be made").system(std::strerror(errno)); };
  pipes made;
  if (pipe2(request.data(), O_CLOEXEC) != 0) return fail();
  made.child_requests = unique_fd(request[0]);
  requests_ = unique_fd(request[1]);
  if (pipe2(answer.data(), O_CLOEXEC) != 0) return fail();
  answers_ = unique_fd(answer[0]);
  made.child_answers = unique_fd(answer[1]);
  return made;
}

// A child that has its ends of the pipes loads the library now.
void worker::begin(pid_t child) {
  child_ = child;
  setpgid(child_, child_);  // the child does it too: whoever comes first
  process_ = unique_fd(static_cast<int>(syscall(SYS_pidfd_open, child_, 0)));
  busy_ = true;
  deadline_ = clock::now() + options_.limit;
}

result<worker> worker::spawn(const std::string& path, const type_table& types, const worker_options& options) {
  worker made;
  made.path_ = path;
  made.options_ = options;
  const result<pipes> ends = made.connect();
  if (!ends) return ends.error();
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return error(stage::use, path, "no process could be made").system(std::strerror(errno));
  if (child == 0) {
    serve_expressions(path, type_table(types), options, ends->child_requests.get(), ends->child_answers.get(), parent);
  }
  made.begin(child);
  return made;
}

result<worker> worker::spawn_successor(succession next) {
  worker made;
  made.path_ = next.load_path;
  made.options_ = options_;
  made.options_.generation = next.generation;
  result<pipes> ends = made.connect();
  if (!ends) return ends.error();
  next.requests = ends->child_requests.get();
  next.answers = ends->child_answers.get();
  const auto fail = [&](const std::string& why) { return error(stage::handover, next.library, why); };
  if (!alive() || busy_ || !send(request_kind::succeed, encode(next))) return fail("its process is not there");
  const time_point until = clock::now() + std::chrono::seconds(2);
  for (;;) {
    if (const std::optional<message> came = next_message()) {
      pid_t child = -1;
      if (came->kind == message_kind::no_successor) return fail(came->payload);
      if (came->kind != message_kind::successor || came->payload.size() != sizeof child) continue;
      std::memcpy(&child, came->payload.data(), sizeof child);
      made.begin(child);
      return made;
    }
    if (fill(until) != filled::more) return fail("its process did not answer");
  }
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
  busy_ = other.busy_;
  deadline_ = other.deadline_;
  calling_ = std::move(other.calling_);
  so_far_ = std::move(other.so_far_);
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

// Reads once. Waits for something to read until then.
worker::filled worker::fill(time_point until) {
  for (;;) {
    // Before the first clock reading there is no time to wait, and no difference that could be told.
    const long left =
        until == time_point::min() ? 0 : std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    std::array<pollfd, 2> files{pollfd{answers_.get(), POLLIN, 0}, pollfd{process_.get(), POLLIN, 0}};
    const int ready = poll(files.data(), process_ ? 2 : 1, static_cast<int>(std::clamp<long>(left, 0, 60'000)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0 && left > 60'000) continue;
    if (ready == 0) return filled::nothing;
    if (ready < 0 || (files[0].revents & (POLLIN | POLLHUP)) == 0) return filled::at_end;  // it has said all
    std::array<char, 65536> part;
    const ssize_t got = read(answers_.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return filled::at_end;
    buffer_.append(part.data(), static_cast<std::size_t>(got));
    return filled::more;
  }
}

std::optional<worker::message> worker::next_message() {
  message_head head{};
  if (buffer_.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, buffer_.data(), sizeof head);
  if (buffer_.size() - sizeof head < head.size) return std::nullopt;
  message made{head.kind, buffer_.substr(sizeof head, head.size)};
  buffer_.erase(0, sizeof head + head.size);
  return made;
}

void worker::ask(const std::string& expression) {
  crash_.reset();
  calling_.clear();
  so_far_ = {};
  busy_ = true;
  deadline_ = clock::now() + options_.limit;
  send(request_kind::evaluate, expression);
}

bool worker::send(request_kind kind, const std::string& payload) {
  request_head head{};
  head.size = static_cast<std::uint32_t>(payload.size());
  head.kind = kind;
  std::string request(reinterpret_cast<const char*>(&head), sizeof head);
  request += payload;
  return write_all(requests_.get(), request.data(), request.size());
}

reply worker::evaluate(const std::string& expression) {
  ask(expression);
  for (;;) {
    if (std::optional<reply> came = take(deadline_)) return *std::move(came);
  }
}

std::optional<reply> worker::take(time_point until) {
  while (busy_ && alive()) {
    while (std::optional<message> next = next_message()) {
      if (std::optional<reply> came = heard(*std::move(next))) {
        busy_ = false;
        return came;
      }
    }
    const filled what = fill(std::min(until, deadline_));
    if (what == filled::more) continue;
    const bool in_time = clock::now() < deadline_;
    if (what == filled::nothing && in_time) return std::nullopt;
    busy_ = false;
    return lost(in_time);
  }
  return std::nullopt;
}

// One message. An answer when it was the last one of what was asked.
std::optional<reply> worker::heard(message&& next) {
  switch (next.kind) {
    case message_kind::ready: so_far_.words = std::move(next.payload); return std::move(so_far_);
    case message_kind::not_carried:
      so_far_.is = reply::end::not_carried;
      so_far_.words = std::move(next.payload);
      return std::move(so_far_);
    case message_kind::successor:
    case message_kind::no_successor: return std::nullopt;
    case message_kind::not_loaded:
      so_far_.is = reply::end::refused;
      so_far_.words = std::move(next.payload);
      return std::move(so_far_);
    case message_kind::calling: calling_ = std::move(next.payload); return std::nullopt;
    case message_kind::result: so_far_.results.push_back(decode_result(next.payload)); return std::nullopt;
    case message_kind::done: {
      types::wire_reader in(next.payload);
      so_far_.took = std::chrono::nanoseconds(in.number());
      return std::move(so_far_);
    }
    case message_kind::complained:
      so_far_.is = reply::end::complained;
      so_far_.wrong = decode_complaint(next.payload);
      return std::move(so_far_);
    case message_kind::threw:
      so_far_.is = reply::end::crashed;
      so_far_.words = (calling_.empty() ? "it" : calling_) + " threw a C++ exception: " + next.payload;
      end();
      return std::move(so_far_);
    case message_kind::crashed:
      if (next.payload.size() != sizeof(crash_record)) return std::nullopt;
      crash_.emplace();
      std::memcpy(&*crash_, next.payload.data(), sizeof *crash_);
      return lost(true);
  }
  return std::nullopt;
}

// The child crashed, ended, or takes too long. One that crashed waits in its handler to be looked at.
reply worker::lost(bool in_time) {
  reply made = std::move(so_far_);
  const std::string who = calling_.empty() ? "" : calling_ + " ";
  if (crash_) {
    hear_callers();
    made.is = reply::end::crashed;
    const crash_place where = crash_place_of(*crash_, child_, path_);
    made.words = who + "crashed: " + where.words;
    made.file = where.file;
    made.line = where.line;
    end();
    return made;
  }
  int status = 0;
  // Ended, or about to: what it wrote last was read before its end was.
  pollfd ended{process_.get(), POLLIN, 0};
  const bool gone = poll(&ended, 1, in_time ? 2000 : 0) > 0 && waitpid(child_, &status, WNOHANG) == child_;
  if (!gone) {
    made.is = reply::end::hung;
    made.words = who + "did not come back within " + seconds_text(options_.limit);
    end();
    return made;
  }
  kill(-child_, SIGKILL);
  child_ = -1;
  if (WIFSIGNALED(status)) {
    const char* const name = signal_name(WTERMSIG(status));
    made.is = reply::end::crashed;
    made.words = who + "was killed by " + (name != nullptr ? name : "signal " + std::to_string(WTERMSIG(status)));
  } else {
    made.is = reply::end::ended;
    made.words = who + "ended the process with exit status " + std::to_string(WEXITSTATUS(status));
  }
  return made;
}

// The second record, which the handler may not come to send.
void worker::hear_callers() {
  const time_point until = clock::now() + std::chrono::seconds(2);
  while (crash_->frames < 0) {
    if (const std::optional<message> next = next_message()) {
      if (next->payload.size() == sizeof(crash_record)) std::memcpy(&*crash_, next->payload.data(), sizeof *crash_);
      continue;
    }
    if (fill(until) != filled::more) return;
  }
}

reply worker::stop(const std::string& why) {
  reply made = std::move(so_far_);
  made.is = reply::end::hung;
  made.words = (calling_.empty() ? "it" : calling_) + " " + why;
  busy_ = false;
  end();
  return made;
}

}  // namespace autoreload::command
