// SPDX-License-Identifier: MIT
// trial: loads a snapshot in a helper process first.
//
// SHARED  - struct trial_report, a page shared by three processes: see trial/supervisor.hpp.
//         - the helper's file, one for all engines, made at the first trial: see embedded_helper().
#include "trial/trial.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <span>
#include <string_view>

#include "reload/snapshot/snapshot.hpp"
#include "system/aside.hpp"
#include "system/file_limit.hpp"
#include "system/unique_fd.hpp"
#include "trial/calls.hpp"
#include "trial/judgement.hpp"
#include "trial/supervisor.hpp"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace autoreload {

extern const unsigned long trial_helper_size;  // made by system/embed.py
extern const unsigned char trial_helper[];

namespace {

using namespace std::chrono_literals;

// Descriptors 0 to 2 are the helper's own streams.
int above_streams(int file) { return file > STDERR_FILENO ? file : ::fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); }

unique_fd memory_file(const char* name, unsigned kind) {
  int file = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | kind);
  if (file < 0 && errno == EINVAL) file = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);  // an older kernel
  unique_fd made(file);
  if (!made || file > STDERR_FILENO) return made;
  return unique_fd(above_streams(file));
}

// Guards the next function's statics, and is held across fork: an engine in the child may try a library, too.
std::mutex& helper_mutex() {
  static auto* const one = [] {
    auto* const made = new std::mutex;
    ::pthread_atfork([] { helper_mutex().lock(); }, [] { helper_mutex().unlock(); }, [] { helper_mutex().unlock(); });
    return made;
  }();
  return *one;
}

// The embedded helper as a file that can be executed; made once, for it never changes. A host that closes all
// descriptors (to become a daemon, say) closes this one too, and another file may get its number: then it is made
// again.
result<int> embedded_helper() {
  static int kept = -1;
  static struct stat identity {};
  const std::lock_guard lock(helper_mutex());
  struct stat now {};
  if (kept >= 0 && ::fstat(kept, &now) == 0 && now.st_dev == identity.st_dev && now.st_ino == identity.st_ino)
    return kept;

  unique_fd file = memory_file("autoreload-trial", MFD_EXEC);
  bool written = static_cast<bool>(file);
  for (std::size_t done = 0; written && done < trial_helper_size;) {
    const ssize_t size = ::write(file.get(), trial_helper + done, trial_helper_size - done);
    if (size < 0 && errno == EINTR) continue;
    written = size > 0;
    done += written ? static_cast<std::size_t>(size) : 0;
  }
  // Stays open as long as the process.
  const int stays = written ? ::fcntl(file.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
  if (stays < 0 || ::fstat(stays, &identity) != 0) {
    const int cause = errno;
    error failure(stage::trial, {}, "the trial helper can't be made in memory");
    failure.system(std::strerror(cause))
        .advise(cause == EACCES
                    ? "vm.memfd_noexec=2 forbids executables in memory: install the helper and name it by the "
                      "environment variable AUTORELOAD_TRIAL_HELPER, or switch the trial load off"
                    : "switch the trial load off, or free the resource");
    errno = cause;
    return failure;
  }
  ::fcntl(stays, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  return kept = stays;
}

// The shared library that defines a name for the whole process, or empty.
std::string library_of(const char* name) {
  void* const found = ::dlsym(RTLD_DEFAULT, name);
  Dl_info info{};
  if (found == nullptr || ::dladdr(found, &info) == 0 || info.dli_fname == nullptr) return {};
  const std::string file = info.dli_fname;
  return file.find(".so") != std::string::npos ? file : "";
}

// A library built with a sanitizer needs its runtime from the start of the program. When the host has it as a shared
// library, so must the helper, or it would refuse what the host can load. The runtime in turn needs the C++ library
// early.
struct sanitizer {
  bool present = ::dlsym(RTLD_DEFAULT, "__asan_init") != nullptr || ::dlsym(RTLD_DEFAULT, "__tsan_init") != nullptr;
  std::string preload = [] {
    std::string files = library_of("__asan_init");
    if (files.empty()) files = library_of("__tsan_init");
    const std::string standard = files.empty() ? "" : library_of("_ZSt9terminatev");
    return standard.empty() ? files : files + ":" + standard;
  }();
};

struct environment_copy {
  explicit environment_copy(const std::string& preload) {
    constexpr std::string_view name = "LD_PRELOAD=";
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      if (!preload.empty() && std::string_view(*entry).starts_with(name)) {
        preloads = std::string(name) + preload + ":" + (*entry + name.size());
      } else {
        entries.push_back(*entry);
      }
    }
    if (!preload.empty() && preloads.empty()) preloads = std::string(name) + preload;
    if (!preloads.empty()) entries.push_back(preloads.data());
    entries.push_back(nullptr);
  }

  std::string preloads;
  std::vector<char*> entries;
};

// The page that is shared with the helper, and what the calls need.
class report_page {
 public:
  explicit report_page(std::size_t calls) : size_(trial_report_size(static_cast<std::uint32_t>(calls))) {
    file_ = memory_file("autoreload-trial-report", MFD_NOEXEC_SEAL);
    if (!file_ || ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return;
    address_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (address_ != MAP_FAILED) get()->calls = static_cast<std::uint32_t>(calls);
  }
  report_page(const report_page&) = delete;
  report_page& operator=(const report_page&) = delete;
  ~report_page() {
    if (address_ != MAP_FAILED) ::munmap(address_, size_);
  }
  explicit operator bool() const noexcept { return address_ != MAP_FAILED; }
  [[nodiscard]] trial_report* get() const noexcept { return static_cast<trial_report*>(address_); }
  [[nodiscard]] int file() const noexcept { return file_.get(); }

 private:
  const std::size_t size_;
  unique_fd file_;
  void* address_ = MAP_FAILED;
};

// The helper's file, and what keeps it open.
struct chosen_helper {
  unique_fd own;
  int file = -1;
};

setback unable(error why, int cause) {
  return {is_passing(cause) ? setback_kind::shortage : setback_kind::refused_elsewhere, std::move(why)};
}

setback failed(const char* what, const std::string& path, int cause) {
  return unable(error(stage::trial, path, what).system(std::strerror(cause)), cause);
}

std::optional<setback> choose_helper(const std::string& path, chosen_helper& into) {
  if (const char* const name = other_helper()) {
    into.own = unique_fd(::open(name, O_RDONLY | O_CLOEXEC));
    if (!into.own) {
      setback no = failed("the trial helper can't be opened", path, errno);
      no.why->advise("AUTORELOAD_TRIAL_HELPER names \"" + std::string(name) + "\"");
      return no;
    }
    if (into.own.get() <= STDERR_FILENO) into.own = unique_fd(above_streams(into.own.get()));
    into.file = into.own.get();
    return {};
  }
  auto embedded = embedded_helper();
  if (!embedded) {
    const int cause = errno;
    return unable(embedded.error().rename(path), cause);
  }
  into.file = *embedded;
  return {};
}

std::vector<std::string> words_for(const trial_options& options, std::span<const std::string> functions, int report,
                                   int library) {
  std::vector<std::string> words{
      "autoreload-trial", std::to_string(report), std::to_string(options.flags), options.policy.destructors ? "1" : "0",
      options.load_path.empty() ? "/proc/self/fd/" + std::to_string(library) : options.load_path};
  for (const std::string& name : options.dependencies) words.push_back("d:" + name);
  for (const std::string& name : options.symbols) words.push_back("s:" + name);
  if (options.tests) {
    words.push_back(options.policy.smoke.empty() ? std::string("o:") + own_test : "t:" + options.policy.smoke);
  }
  for (const std::string& name : functions) words.push_back("c:" + name);
  return words;
}

// Runs the helper once. @return why it could not be; what it did is in the report
std::optional<setback> run_helper(int snapshot, const std::string& path, const trial_options& options,
                                  const report_page& page) {
  chosen_helper helper;
  if (auto no = choose_helper(path, helper)) return no;
  const int library = above_streams(snapshot);
  const unique_fd moved(library != snapshot ? library : -1);
  if (library < 0) return failed("no descriptors for a trial load", path, errno);
  const std::vector<std::string> functions = functions_of(options.calls);
  write_calls(options.calls, functions, trial_calls(page.get()));
  std::vector<std::string> words = words_for(options, functions, page.file(), library);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const sanitizer checks;
  const environment_copy environment(checks.preload);

  trial_job work{};
  work.report = page.get();
  work.report_file = page.file();
  work.library = library;
  work.helper = helper.file;
  work.cancel = options.cancel;
  work.host = ::getpid();
  const auto time = std::clamp<std::chrono::milliseconds>(options.policy.time_limit, 0ms, 24h);
  work.deadline = std::chrono::steady_clock::now() + time;
  // Of all its threads: each processor may run one for the whole time.
  const auto processors = static_cast<rlim_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  work.cpu_seconds = processors * static_cast<rlim_t>(std::chrono::ceil<std::chrono::seconds>(time).count() + 1);
  work.memory = options.policy.memory_limit == 0 || checks.present ? RLIM_INFINITY : options.policy.memory_limit;
  work.arguments = arguments.data();
  work.environment = environment.entries.data();
  const undisturbed whole_call;
  const pid_t supervisor = run_aside(supervise_trial, &work, 0);
  if (supervisor < 0) return failed("no process for a trial load", path, -supervisor);
  int status = 0;
  while (::waitpid(supervisor, &status, __WALL) < 0 && errno == EINTR) {
  }
  return {};
}

// The running generation makes the same calls. It is not on trial: what goes wrong there is no fault of the new build.
std::string compare_with_running(const std::string& path, const trial_options& options, const report_page& made) {
  trial_options how = options;
  how.load_path = options.running.load_path;
  how.dependencies = options.running.dependencies;
  how.symbols.clear();
  how.tests = false;
  how.policy.destructors = false;
  const report_page page(options.calls.size());
  if (!page || run_helper(options.running.snapshot, path, how, page)) return {};
  const trial_call* const after = trial_calls(made.get());
  const std::optional<setback> no = judge_trial(*page.get(), path, how, options.running.snapshot);
  if (!no) return differences(options.calls, trial_calls(page.get()), after);
  if (no->kind != setback_kind::refused_content) return {};
  return "the recorded calls can't be compared: in the running generation " + no->why->reason();
}

}  // namespace

trial_outcome trial_load(int snapshot, const std::string& path, const trial_options& options) {
  const quiet_file_limit quiet;
  const report_page page(options.calls.size());
  if (!page) return {failed("no descriptors or no memory for a trial load", path, errno), {}};
  if (auto no = run_helper(snapshot, path, options, page)) return {std::move(no), {}};
  if (auto no = judge_trial(*page.get(), path, options, snapshot)) return {std::move(no), {}};
  const bool comparable = !options.calls.empty() && options.running.snapshot >= 0;
  return {{}, comparable ? compare_with_running(path, options, page) : std::string{}};
}

}  // namespace autoreload
