// SPDX-License-Identifier: MIT
// minimal_loop: what no reload on this machine can be faster than.
//
// SHARED  `current_`: written by the loading thread, called through by the measuring one (release, acquire: the loaded
//         code is visible with its pointer). `woken_` and `load_` are stored before it, so they belong to the same
//         sample. The loop's other state is the loading thread's until then, and the measuring thread's until the next
//         file.
#include "minimal_loop.hpp"

#include <dlfcn.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "../idioms/builds.hpp"

namespace bench {
namespace {

constexpr std::string_view end_of_loop = "end";

}  // namespace

minimal_loop::minimal_loop(directory::on where) : directory_(where), inotify_(inotify_init1(IN_CLOEXEC)) {
  if (inotify_ < 0 || inotify_add_watch(inotify_, directory_.path().c_str(), IN_MOVED_TO | IN_CLOSE_WRITE) < 0) {
    throw std::system_error(errno, std::generic_category(), "inotify");
  }
}

minimal_loop::~minimal_loop() {
  unload();
  ::close(inotify_);
}

steady::time_point minimal_loop::wait() const {
  alignas(inotify_event) std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t length = ::read(inotify_, buffer.data(), buffer.size());
    const auto woken = steady::now();
    for (ssize_t at = 0; at < length;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      if (path_.ends_with(event->name) || end_of_loop == event->name) return woken;
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
}

steady::duration minimal_loop::load() {
  const auto start = steady::now();
  handle_ = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const found = handle_ == nullptr ? nullptr : dlsym(handle_, "callee_build");
  // Where it could not be loaded, the caller runs out of patience.
  loaded_ = found == nullptr ? &none : reinterpret_cast<function>(found);
  return steady::now() - start;
}

void minimal_loop::publish() { current_.store(loaded_, std::memory_order_release); }

void minimal_loop::unload() {
  current_ = &none;
  if (handle_ != nullptr) dlclose(std::exchange(handle_, nullptr));
}

namespace {

class on_one_thread final : public series {
 public:
  sample measure() override {
    const auto number = static_cast<std::int32_t>(++count_ % builds_.size());
    const auto start = deliver(arrival::renamed, loop_.path(), staging_, builds_[static_cast<std::size_t>(number)]);
    loop_.wait();
    autoreload::timings stages;
    stages.load = stages.total = loop_.load();
    loop_.publish();
    const bool right = loop_.build() == number;
    const auto end = steady::now();
    loop_.unload();
    if (!right) throw std::runtime_error("the minimal loop called a wrong build");
    return {end - start, stages, {}};
  }

 private:
  std::vector<bytes> builds_ = read_builds();
  std::size_t count_ = 0;
  directory staging_{directory::on::memory};
  minimal_loop loop_{directory::on::memory};
};

class in_background final : public series {
 public:
  enum class what { whole, wake_up };

  in_background(arrival how, what measured) : how_(how), measured_(measured) {}
  ~in_background() override {
    end_ = true;
    write_file(loop_.path().substr(0, loop_.path().rfind('/') + 1) + std::string(end_of_loop), {});
    thread_.join();
  }

  sample measure() override {
    const auto number = static_cast<std::int32_t>(++count_ % builds_.size());
    const auto start = deliver(how_, loop_.path(), staging_, builds_[static_cast<std::size_t>(number)]);
    auto now = start;
    while (loop_.build() != number) {
      now = steady::now();
      if (now - start > patience) throw std::runtime_error("the minimal loop never loaded the build");
    }
    now = steady::now();
    const steady::time_point woken = woken_;
    autoreload::timings stages;
    stages.load = stages.total = load_;
    loop_.unload();
    if (measured_ == what::wake_up) return {woken - start, {}, {}};
    return {now - start, stages, {}};
  }

 private:
  void run() {
    for (;;) {
      const steady::time_point woken = loop_.wait();
      if (end_) return;
      woken_ = woken;
      load_ = loop_.load();
      loop_.publish();
    }
  }

  arrival how_;
  what measured_;
  std::vector<bytes> builds_ = read_builds();
  std::size_t count_ = 0;
  directory staging_{place_of(how_)};
  minimal_loop loop_{place_of(how_)};
  std::atomic<bool> end_{false};
  std::atomic<steady::time_point> woken_{};
  std::atomic<steady::duration> load_{};
  std::thread thread_{[this] { run(); }};
};

}  // namespace

std::unique_ptr<series> floor_in_background(arrival how) {
  return std::make_unique<in_background>(how, in_background::what::whole);
}
std::unique_ptr<series> floor_on_one_thread() { return std::make_unique<on_one_thread>(); }
std::unique_ptr<series> inotify_wake_up() {
  return std::make_unique<in_background>(arrival::renamed, in_background::what::wake_up);
}

}  // namespace bench
