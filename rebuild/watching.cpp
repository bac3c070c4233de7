// SPDX-License-Identifier: MIT
// watching: the worker's part that finds the tool and the sources, and has them watched.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string_view>
#include <utility>

#include "rebuild/line_files.hpp"
#include "rebuild/worker.hpp"

namespace autoreload {

using namespace building;
namespace fs = std::filesystem;

bool rebuilder::worker::have_runner() {
  if (runner_) return true;
  result<runner> made = runner::make(options_.output_limit);
  if (!made) {
    tell_failure(made.error());
    return false;
  }
  runner_.emplace(*std::move(made));
  return true;
}

void rebuilder::worker::find_tool() {
  if (!options_.command.empty()) {
    std::error_code ignored;
    const fs::path directory =
        options_.directory.empty() ? fs::current_path(ignored) : fs::absolute(options_.directory);
    build_tool named{tool_kind::named, {options_.command, directory, environment_}, {}, {}, {}, {}, {}, {}};
    for (const std::string& word : options_.command) named.found += (named.found.empty() ? "" : " ") + word;
    named.found += " in " + directory.string();
    tool_ = std::move(named);
  } else {
    if (!have_runner()) return;
    tool_finder ask(*runner_, environment_, options_.trust, {wake_.get(), -1});
    result<build_tool> found = ask.find(library_);
    if (ask.interrupted()) return watch_->mark_changed();  // to be asked again, if the rebuilder is not to end
    // A linker may be writing it: then it is asked again when there is more of it.
    const bool first = !std::exchange(searched_, true);
    Elf64_Shdr ignored;
    if (!found && !first && !read_elf_file(library_).sections().at(1, ignored)) return;
    if (!found) return tell_failure(found.error());
    tool_ = *std::move(found);
  }
  const std::lock_guard lock(mutex_);
  told_.command = tool_->found;
}

void rebuilder::worker::refresh() {
  refresh_due_ = false;
  if (!tool_) return arm();
  debug_file debug = find_debug_file(library_);
  if (std::vector<std::string> found = list_line_files(debug); !found.empty() || !stands_in_)
    line_files_ = std::move(found);
  if (tool_->kind != tool_kind::named && have_runner()) {
    const bool patient = refreshes_interrupted_ >= 3;
    const std::array<int, 2> interrupt{patient ? -1 : wake_.get(), patient || !hub_ ? -1 : hub_->readable()};
    tool_finder ask(*runner_, environment_, options_.trust, interrupt);
    tool_inputs asked = ask.inputs(*tool_);
    if (asked.complete && synced_ && !stands_in_ && wants_chains()) learn_chains(ask);
    refreshes_interrupted_ = ask.interrupted() ? refreshes_interrupted_ + 1 : 0;
    refresh_due_ = ask.interrupted();  // a save comes first, and then again
    if (!asked.complete) return;
    inputs_ = std::move(asked);
  }
  file_choice choice;
  choice.directories = {tool_->run.directory, fs::path(library_).parent_path()};
  if (tool_->kind == tool_kind::ninja || tool_->kind == tool_kind::cmake_make)
    choice.build_directory = tool_->run.directory;
  choice.products = inputs_.products;
  for (const std::vector<std::string>& list : {line_files_, inputs_.sources, options_.sources}) {
    choice.names.insert(choice.names.end(), list.begin(), list.end());
  }
  std::vector<std::string> files = users_files(choice);
  choice.names = inputs_.configuration;
  configuration_ = users_files(choice);
  for (const std::string& file : tool_->build_files) {
    if (std::find(inputs_.products.begin(), inputs_.products.end(), fs::path(file).filename()) ==
        inputs_.products.end()) {
      files.push_back(file);
    }
  }
  const bool any =
      files.size() > tool_->build_files.size() || !users_files({options_.sources, choice.directories, {}, {}}).empty();
  timespec since = build_started_;
  if (build_ == 0) since.tv_sec = std::numeric_limits<time_t>::max();
  sources_.watch(files, since);
  const bool news = std::exchange(watched_, files) != files || !ready_;
  arm();
  {
    const std::lock_guard lock(mutex_);
    told_.sources = std::move(files);
  }
  if (!any && build_ > 0 && !due_) {
    return tell_failure(error(stage::build, {},
                              "no source of it is known, so no save will be noticed" +
                                  (debug.problem().empty() ? "" : ": " + debug.problem()))
                            .advise("build it with -g, or name its sources by rebuild_options::sources"));
  }
  ready_ = true;
  if (!news) return;
  rebuild_event event;
  event.kind = rebuild_kind::ready;
  event.text = tool_->found + ", " + std::to_string(watched_.size()) +
               (watched_.size() == 1 ? " file watched" : " files watched");
  if (polling_) event.text += " by polling";
  tell(std::move(event));
}

// The files by which a tool would be found.
std::vector<std::string> rebuilder::worker::places_of_tools() const {
  std::vector<std::string> paths{library_};
  fs::path directory = fs::path(library_).parent_path();
  for (int levels = 0; levels < 4; ++levels, directory = directory.parent_path()) {
    for (const char* const name : {"build.ninja", "Makefile", "CMakeCache.txt", "compile_commands.json"})
      paths.push_back(directory / name);
  }
  return paths;
}

// Another text when one of them came, went or was written.
std::string rebuilder::worker::marks_of_tools() const {
  std::string marks;
  for (const std::string& path : places_of_tools()) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
      for (const auto number :
           {static_cast<long long>(status.st_ino), static_cast<long long>(status.st_size),
            static_cast<long long>(status.st_mtim.tv_sec), static_cast<long long>(status.st_mtim.tv_nsec)}) {
        marks += std::to_string(number) + " ";
      }
    }
    marks += "\n";
  }
  return marks;
}

// Also the library itself: a build that somebody else ran may have changed the list of its sources. And while no tool
// is known, the files by which one would be found.
void rebuilder::worker::arm() {
  std::vector<std::string> paths = watched_;
  paths.push_back(library_);
  if (!tool_) paths = places_of_tools();
  result<bool> armed = watch_->arm(paths);
  polling_ = hub_ == nullptr || !armed;
  if (!armed || *armed) watch_->mark_changed();  // what happened before it was watched
}

}  // namespace autoreload
