// SPDX-License-Identifier: MIT
// build_tool: asks ninja, make and CMake's files.
#include "rebuild/build_tool.hpp"
#include "rebuild/text_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "reload/trust/trust.hpp"
#include "system/unique_fd.hpp"

namespace autoreload::building {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::seconds question_time{20};             // a tool that has not answered by then is stopped
constexpr std::size_t longest_answer = std::size_t{1} << 28;  // bytes

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// The names by which a tool in this directory may know the library: as the path is written, and where its links lead.
std::vector<std::string> names_of(const std::string& library, const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code ignored;
  const fs::path real_directory = fs::weakly_canonical(directory, ignored);
  const fs::path parent = fs::weakly_canonical(fs::path(library).parent_path(), ignored);
  for (const fs::path& path : {parent / fs::path(library).filename(), fs::weakly_canonical(library, ignored)}) {
    std::string name = path.lexically_relative(real_directory);
    if (!name.empty() && !name.starts_with("..") && std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

// Whether a file that a tool makes is the library, or will be when its versioned name (`libfoo.so.1.2`) gets its links.
bool makes(const fs::path& made, const fs::path& library) {
  std::error_code ignored;
  const fs::path real = fs::weakly_canonical(made, ignored);
  if (real == fs::weakly_canonical(library, ignored)) return true;
  const fs::path directory = fs::weakly_canonical(library.parent_path(), ignored);
  const std::string name = real.filename();
  const std::string start = library.filename().string() + ".";
  return real.parent_path() == directory && name.starts_with(start) &&
         name.find_first_not_of("0123456789.", start.size()) == std::string::npos;
}

std::string processors() { return std::to_string(std::max(1U, std::thread::hardware_concurrency())); }

}  // namespace

result<void> check_build_files(const std::vector<std::string>& files, const trust_policy& trust) {
  trust_policy policy = trust;
  policy.honour_noexec = false;  // they are read, not mapped
  for (const std::string& file : files) {
    const unique_fd opened(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!opened) return error(stage::build, file, "it can't be read").system(std::strerror(errno));
    const result<void> judged = check_trust(opened.get(), file, policy);
    if (judged) continue;
    error refused(stage::build, file, "the build is not run: " + judged.error().reason());
    refused.system(judged.error().system()).advise(judged.error().advice());
    return refused;
  }
  return {};
}

std::optional<ending> tool_finder::run(const std::vector<std::string>& words, const std::string& directory,
                                       std::chrono::milliseconds limit) {
  if (interrupted_ || !ask_.start({words, directory, environment_}, longest_answer)) return std::nullopt;
  const clock::time_point deadline = clock::now() + limit;
  for (bool stopped = false;;) {
    if (std::optional<ending> ended = ask_.advance()) {
      if (stopped) return std::nullopt;
      return ended;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    std::array<pollfd, 4> waits{};
    for (std::size_t i = 0; i < 2; ++i) {
      waits[i] = {ask_.readable()[i], POLLIN, 0};
      waits[i + 2] = {stopped ? -1 : interrupt_[i], POLLIN, 0};
    }
    ::poll(waits.data(), waits.size(), stopped ? -1 : static_cast<int>(std::max<long>(left, 0)));
    interrupted_ = interrupted_ || waits[2].revents != 0 || waits[3].revents != 0;
    if ((interrupted_ || left <= 0) && !std::exchange(stopped, true)) ask_.stop();
  }
}

std::optional<std::string> tool_finder::answer(const std::vector<std::string>& words, const std::string& directory) {
  std::optional<ending> ended = run(words, directory, question_time);
  if (!ended || !ended->succeeded()) return std::nullopt;
  return std::move(ended->output);
}

result<std::optional<build_tool>> tool_finder::try_ninja(const fs::path& directory, const std::string& library) {
  const fs::path file = directory / "build.ninja";
  if (!is_file(file)) return std::optional<build_tool>{};
  if (auto trusted = check_build_files({file}, trust_); !trusted) return trusted.error();
  std::vector<std::string> names = names_of(library, directory);
  std::error_code ignored;
  if (!fs::exists(library, ignored)) {
    for (const std::string& line : lines_of(answer({"ninja", "-t", "targets", "all"}, directory).value_or(""))) {
      const std::string name = line.substr(0, line.rfind(": "));
      if (makes(directory / name, library)) names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    if (!answer({"ninja", "-t", "query", name}, directory)) continue;
    build_tool made{tool_kind::ninja, {{"ninja", name}, directory, environment_}, name, {file}, {file}, {}, {}, {}};
    made.found = "ninja -C " + directory.string() + " " + name;
    return std::optional(std::move(made));
  }
  return std::optional<build_tool>{};
}

// CMake's Makefiles know a library by its target's name. CMakeFiles/TargetDirectories.txt lists the directories of all
// targets, and each has the command that links it.
result<std::optional<build_tool>> tool_finder::try_cmake(const fs::path& directory, const std::string& library) {
  const fs::path cache = directory / "CMakeCache.txt";
  if (!is_file(cache) || !is_file(directory / "Makefile")) return std::optional<build_tool>{};
  std::istringstream targets(read_text(directory / "CMakeFiles/TargetDirectories.txt"));
  for (std::string line; std::getline(targets, line);) {
    const fs::path target = line;
    std::istringstream words(read_text(target / "link.txt"));
    bool here = false;
    for (std::string word, before; words >> word; before = std::exchange(word, {})) {
      const fs::path made = target.parent_path().parent_path() / word;
      here = here || (before == "-o" && makes(made, library));
    }
    if (!here) continue;
    const std::vector<std::string> files{cache, directory / "Makefile", target / "build.make"};
    if (auto trusted = check_build_files(files, trust_); !trusted) return trusted.error();
    std::string make = "make";
    std::istringstream entries(read_text(cache));
    for (std::string entry; std::getline(entries, entry);) {
      if (entry.starts_with("CMAKE_MAKE_PROGRAM:")) make = entry.substr(entry.find('=') + 1);
    }
    const std::string name = target.stem();
    build_tool made{tool_kind::cmake_make,
                    {{make, "-j" + processors(), name}, directory, environment_},
                    name,
                    {cache},
                    files,
                    target,
                    {},
                    {}};
    made.found = make + " -C " + directory.string() + " " + name + " (CMake's Makefiles)";
    return std::optional(std::move(made));
  }
  return std::optional<build_tool>{};
}

result<std::optional<build_tool>> tool_finder::try_make(const fs::path& directory, const std::string& library) {
  for (const char* const name : {"GNUmakefile", "makefile", "Makefile"}) {
    const fs::path file = directory / name;
    if (!is_file(file)) continue;
    if (auto trusted = check_build_files({file}, trust_); !trusted) return trusted.error();
    for (const std::string& target : names_of(library, directory)) {
      // `make -n` fails when there is no rule, unless the file is there already; then it says that nothing is to be
      // done.
      const std::optional<std::string> plan = answer({"make", "-n", target}, directory);
      if (!plan || plan->find("Nothing to be done for '" + target + "'") != std::string::npos) continue;
      build_tool made{tool_kind::make, {{"make", target}, directory, environment_}, target, {file}, {file}, {}, {}, {}};
      made.found = "make -C " + directory.string() + " " + target;
      return std::optional(std::move(made));
    }
    break;  // as make does: the first of these names only
  }
  return std::optional<build_tool>{};
}

result<build_tool> tool_finder::find(const std::string& library) {
  std::error_code ignored;
  // Above the library as it is named, then above the file that its links lead to.
  std::vector<fs::path> starts{fs::path(library).parent_path()};
  if (const fs::path real = fs::weakly_canonical(library, ignored).parent_path(); real != starts[0])
    starts.push_back(real);
  for (const fs::path& start : starts) {
    for (fs::path directory = start;; directory = directory.parent_path()) {
      for (const auto attempt : {&tool_finder::try_ninja, &tool_finder::try_cmake, &tool_finder::try_make}) {
        result<std::optional<build_tool>> tried = (this->*attempt)(directory, library);
        if (!tried) return tried.error();
        if (*tried) return **std::move(tried);
      }
      if (directory == directory.parent_path()) break;
    }
  }
  return find_compile_command(library);
}

}  // namespace autoreload::building
