// SPDX-License-Identifier: MIT
// copy_in_memory: a memfd, and how /proc names it.
//
// SHARED  one flag, written once before the first copy is made; it says nothing of other memory, so relaxed will do.
#include <fcntl.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "reload/load/loaded.hpp"
#include "reload/snapshot/copy_place.hpp"

namespace autoreload {
namespace {

std::atomic<bool> by_thread{false};

int new_memfd(const char* name) {
#ifndef MFD_EXEC
  constexpr unsigned MFD_EXEC = 0x10;
#endif
  // Where vm.memfd_noexec is set, a memfd must say that it will be executed; kernels before 6.3 don't know the flag.
  int memory = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (memory < 0 && errno != EMFILE && errno != ENFILE && errno != ENOMEM) {
    memory = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  }
  return memory;
}

}  // namespace

void name_descriptors_by_thread() noexcept { by_thread.store(true, std::memory_order_relaxed); }

// A debugger opens the name in its own process, so it can't be /proc/self; and a process's number in this /proc is what
// /proc says it is, also inside a container. A forked child has another.
std::string descriptor_path(int file) {
  struct answer {
    pid_t process;
    bool of_thread;
    std::string number;
  };
  static thread_local answer known{};
  const bool of_thread = by_thread.load(std::memory_order_relaxed);
  if (known.process != getpid() || known.of_thread != of_thread) {
    std::array<char, 64> self{};
    const char* const link = of_thread ? "/proc/thread-self" : "/proc/self";
    known = {getpid(), of_thread, readlink(link, self.data(), self.size() - 1) > 0 ? self.data() : ""};
  }
  std::string path = "/proc/" + known.number + "/fd/" + std::to_string(file);
  if (!known.number.empty() && access(path.c_str(), F_OK) == 0) return path;
  known = {};  // /proc may be mounted later
  return {};
}

result<copy_file> copy_in_memory(const std::string& path) {
  copy_file made;
  // The kernel takes 249 bytes.
  made.file = unique_fd(new_memfd(base_name(path).substr(0, 249).c_str()));
  if (made.file) made.load_path = descriptor_path(made.file.get());
  // A number that somebody closed behind us names a library that is still loaded: the loader would answer with that.
  while (!made.load_path.empty() && is_loaded(made.load_path)) {
    made.file = unique_fd(fcntl(made.file.get(), F_DUPFD_CLOEXEC, made.file.get() + 1));
    made.load_path = made.file ? descriptor_path(made.file.get()) : std::string();
  }
  if (!made.load_path.empty()) return made;
  return error(stage::snapshot, path, "no private copy can be made in memory")
      .system(std::generic_category().message(errno))
      .advise("mount /proc");
}

}  // namespace autoreload
