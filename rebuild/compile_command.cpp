// SPDX-License-Identifier: MIT
// compile_command: finds the command that made a library where there is no build tool, and proves it.
//
// compile_commands.json says how each source is compiled. Where there is none, the debug information says it: gcc
// records its options in it, and clang when it is told to. Neither is the whole truth: gcc leaves -D and -I out, and
// nobody records how a library was linked. So a command is believed only when it makes the same library again, in a
// directory of its own: each section that a program would see must have the same bytes. Until then it is none.
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <system_error>

#include <autoreload/diagnostic.hpp>

#include "rebuild/build_tool.hpp"
#include "rebuild/compile_steps.hpp"
#include "rebuild/link_facts.hpp"

namespace autoreload::building {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::minutes proof_time{10};
constexpr std::size_t most_includes = 32;

bool newer(const std::string& file, const std::string& than) {
  struct stat a {};
  struct stat b {};
  if (::stat(file.c_str(), &a) != 0 || ::stat(than.c_str(), &b) != 0) return false;
  return a.st_mtim.tv_sec != b.st_mtim.tv_sec ? a.st_mtim.tv_sec > b.st_mtim.tv_sec
                                              : a.st_mtim.tv_nsec > b.st_mtim.tv_nsec;
}

// A directory that is gone at the end.
class proof_directory {
 public:
  proof_directory() {
    std::error_code problem;
    path_ = (fs::temp_directory_path(problem) / "autoreload-proof-XXXXXX").string();
    if (problem || ::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  proof_directory(const proof_directory&) = delete;
  proof_directory& operator=(const proof_directory&) = delete;
  ~proof_directory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

// The header that a compiler says it misses: `deep/value.h: No such file or directory`, `'deep/value.h' file not
// found`.
std::string missing_header(const diagnostic* of) {
  if (of == nullptr) return {};
  const std::string& said = of->message;
  if (const std::size_t end = said.find(": No such file or directory"); end != std::string::npos)
    return said.substr(0, end);
  const std::size_t end = said.find("' file not found");
  return said.starts_with('\'') && end != std::string::npos ? said.substr(1, end - 1) : std::string{};
}

}  // namespace

// Does the steps in a directory of their own, and compares. Steps that miss a header get another -I.
// @return why the library that is there does not come out, or nothing
std::string tool_finder::prove(compile_candidate& one, const std::string& library, debug_file& debug) {
  debug_file before = read_elf_file(library);
  const proof_directory beside;
  if (beside.path().empty()) return "there is no temporary directory to try its command in (TMPDIR)";
  const std::string made = beside.path() + "/" + fs::path(library).filename().string();
  std::set<std::string> named;
  for (;;) {
    const std::optional<ending> ended = run(words_of(one.steps, one.link, made), one.steps[0].directory, proof_time);
    if (ended && ended->succeeded()) break;
    const std::vector<diagnostic> all = ended ? read_diagnostics(ended->output) : std::vector<diagnostic>{};
    const diagnostic* const first = first_error(all);
    const std::string header = missing_header(first);
    const std::string directory = header.empty() ? header : directory_of_header(header, debug, one.steps);
    if (directory.empty() || named.size() > most_includes || !named.insert(directory).second) {
      return short_command(one.steps) + " fails" + (first != nullptr ? ": " + to_string(*first) : "");
    }
    for (compile_step& step : one.steps) step.options.push_back("-I" + directory);
  }
  debug_file again = read_elf_file(made);
  const std::string section = first_difference(before, again);
  return section.empty() ? "" : short_command(one.steps) + " makes another library: its " + section + " differs";
}

result<build_tool> tool_finder::find_compile_command(const std::string& library) {
  const auto refuse = [&](const std::string& why, const std::string& advice) {
    return error(stage::build, library,
                 "no build.ninja or Makefile in its directory, or above it, knows how to build it; and " + why)
        .advise(advice +
                "name the command and its directory by rebuild_options::command and rebuild_options::directory");
  };
  std::error_code problem;
  if (!fs::is_regular_file(library, problem)) return refuse("it is not there to be asked how it was made", "");
  if (auto trusted = check_build_files({library}, trust_); !trusted) return trusted.error();
  debug_file debug = find_debug_file(library);
  std::vector<compile_step> steps;
  if (const std::string why = read_steps(debug, steps); !why.empty()) return refuse(why, "compile it with -g, or ");
  for (const compile_step& one : steps) {
    if (newer(one.path(), library))
      return refuse(one.path() + " was saved after it was built, so that no command can be proved to build it",
                    "build it once as always, or ");
  }
  debug_file own = read_elf_file(library);
  const std::vector<std::string> link = link_options(own);
  std::string why;
  for (compile_candidate& one : candidates_for(library, steps)) {
    if (interrupted_) break;
    if (!one.database.empty()) {
      if (auto trusted = check_build_files({one.database}, trust_); !trusted) return trusted.error();
    }
    one.link = link;
    why = prove(one, library, debug);
    if (!why.empty()) {  // linked without libc, which does not show when it is not needed either
      one.link.insert(one.link.begin() + 1, "-nodefaultlibs");
      if (!prove(one, library, debug).empty()) continue;
    }
    build_tool tool{tool_kind::compiler,
                    {words_of(one.steps, one.link, library), one.steps[0].directory, environment_},
                    library,
                    {},
                    {},
                    {},
                    {},
                    {}};
    if (!one.database.empty()) tool.build_files = tool.trusted = {one.database};
    for (const compile_step& of : one.steps) {
      tool.questions.push_back({depfile_words(of), of.directory, environment_});
    }
    tool.found = short_command(one.steps) + " in " + one.steps[0].directory + " (" + one.from + ")";
    return tool;
  }
  return refuse("the command that made it could not be found out: " + why, "");
}

}  // namespace autoreload::building
