// SPDX-License-Identifier: MIT
// build_words: an event of the rebuilder as a person reads it, with its place in a file.
#include "build_words.hpp"

#include <sys/stat.h>

#include <filesystem>

#include "terminal.hpp"

namespace autoreload::command {

namespace {

build_notice::kind kind_of(rebuild_kind happened) {
  switch (happened) {
    case rebuild_kind::ready: return build_notice::kind::ready;
    case rebuild_kind::building:
    case rebuild_kind::overtaken: return build_notice::kind::building;
    case rebuild_kind::built: return build_notice::kind::built;
    case rebuild_kind::no_effect: return build_notice::kind::unchanged;
    case rebuild_kind::build_failed: return build_notice::kind::failed;
    case rebuild_kind::failed: return build_notice::kind::trouble;
  }
  return build_notice::kind::trouble;
}

// A compiler names a file from where it runs, which is the build's directory or one above the library.
std::string found_file(const std::string& named, const build_options& options) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  std::vector<fs::path> places{fs::current_path(ignored)};
  if (!options.directory.empty()) places.insert(places.begin(), options.directory);
  for (fs::path at = fs::absolute(options.library, ignored).parent_path();; at = at.parent_path()) {
    places.push_back(at);
    if (at == at.root_path()) break;
  }
  for (const fs::path& place : places) {
    if (fs::exists(place / named, ignored)) return (place / named).lexically_normal().string();
  }
  return named;
}

std::optional<std::chrono::system_clock::time_point> saving_of(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return std::nullopt;
  const auto since = std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  return std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(since));
}

}  // namespace

build_notice notice_of(const rebuild_event& happened, const build_options& options) {
  build_notice made{.is = kind_of(happened.kind), .text = to_string(happened)};
  const bool ended = happened.kind == rebuild_kind::build_failed || happened.kind == rebuild_kind::built;
  for (const diagnostic& one : happened.diagnostics) {
    if (!ended) break;  // one that was overtaken complains of that
    const std::string line = to_string(one);
    if (one.severity != severity::note && made.text.find(line) == std::string::npos) made.text += "\n  " + line;
  }
  // As the person has written it.
  const std::string shell = "/bin/sh -c ";
  if (const std::size_t at = made.text.find(shell); at != std::string::npos && !options.command.empty()) {
    made.text.erase(at, shell.size());
  }
  if (happened.kind == rebuild_kind::failed && happened.failure) {  // not what(): the library's name is known
    made.text = "can't build: " + happened.failure->reason();
    if (!happened.failure->system().empty()) made.text += ": " + happened.failure->system();
    if (const std::string advice = advice_of(*happened.failure); !advice.empty()) made.text += "\n  " + advice;
  }
  if (happened.kind == rebuild_kind::building && !happened.files.empty()) {
    made.saved = found_file(happened.files.front(), options);
    made.saved_at = saving_of(made.saved);
  }
  if (const diagnostic* const first = first_error(happened.diagnostics); first != nullptr && made.bad()) {
    if (!first->file.empty()) made.file = found_file(first->file, options);
    made.line = first->line;
    made.column = first->column;
  }
  return made;
}

rebuild_options rebuilding_of(const build_options& options) {
  rebuild_options how;
  if (!options.command.empty()) how.command = {"/bin/sh", "-c", options.command};
  how.directory = options.directory;
  how.build_at_start = options.at_start;
  return how;
}

}  // namespace autoreload::command
