// SPDX-License-Identifier: MIT
// state_history_tool: loads a library's builds one after the other, 00.so, 01.so …, and says for each but the first by
// tabs: its number, `kept/of`, yes or what was forgotten, the remarks.
#include <cstdio>
#include <filesystem>
#include <map>

#include <autoreload/automatic_state.hpp>

#include "../loaded.hpp"
#include "remembering.hpp"

namespace {

std::string build_of(const std::string& directory, int number) {
  char name[16];
  std::snprintf(name, sizeof name, "/%02d.so", number);
  return directory + name;
}

void put_in_place(const std::string& build, const std::string& path) {
  std::filesystem::copy_file(build, path + ".new", std::filesystem::copy_options::overwrite_existing);
  std::filesystem::rename(path + ".new", path);
}

int run(autoreload_test::remembering& library, const std::string& directory) {
  std::shared_ptr<const autoreload::state_report> report;
  int unloaded = 0;
  autoreload::options how;
  how.drive = autoreload::drive_mode::manual;
  how.state = autoreload_test::patient();
  how.observer = [&](const autoreload::event& e) {
    if (e.kind == autoreload::event_kind::loaded) report = e.state;
    if (e.kind == autoreload::event_kind::unloaded) ++unloaded;
    if (e.kind == autoreload::event_kind::warning) std::fprintf(stderr, "%s\n", e.text.c_str());
  };
  const std::string path = directory + "/running.so";
  put_in_place(build_of(directory, 0), path);
  library.open(path, how);
  library.remember(0);
  for (int step = 1; std::filesystem::exists(build_of(directory, step)); ++step) {
    put_in_place(build_of(directory, step), path);
    if (const auto done = library.reload(); !done) {
      std::printf("%d\t-\tno\t%s\n", step, done.error().reason().c_str());
      return 1;
    }
    library.poll();
    std::string forgotten = library.forgotten(step - 1);
    if (forgotten.empty() && unloaded != step) forgotten = "to leave: the old build is still there";
    std::printf("%d\t%zu of %zu\t%s", step, report->kept, report->variables,
                forgotten.empty() ? "yes" : forgotten.c_str());
    for (const autoreload::state_remark& one : report->remarks)
      std::printf("\t%s", autoreload_test::text_of(one).c_str());
    std::printf("\n");
    std::fflush(stdout);
    library.remember(step);
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const std::map<std::string, std::unique_ptr<autoreload_test::remembering> (*)()> known{
      {"libxml2", autoreload_test::libxml2}, {"libtiff", autoreload_test::libtiff}, {"SDL", autoreload_test::sdl}};
  if (count != 3 || !known.contains(words[1])) {
    std::fprintf(stderr, "usage: state_history_tool libxml2|libtiff|SDL DIRECTORY\n");
    return 2;
  }
  try {
    return run(*known.at(words[1])(), words[2]);
  } catch (const autoreload::error& wrong) {
    std::fprintf(stderr, "%s\n", wrong.what());
    return 1;
  }
}
