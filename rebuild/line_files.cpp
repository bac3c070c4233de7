// SPDX-License-Identifier: MIT
// line_files: the file tables of .debug_line, whole.
#include "rebuild/line_files.hpp"

#include <set>
#include <string_view>

#include "elf/line_table.hpp"

namespace autoreload::building {
namespace {

constexpr std::size_t most_files = 100'000;

// A later part that starts with a slash makes the earlier ones void.
std::string joined(std::string_view root, std::string_view directory, std::string_view file) {
  std::string path;
  for (const std::string_view part : {root, directory, file}) {
    if (part.starts_with('/')) path.clear();
    if (!path.empty() && !part.empty()) path += '/';
    path += part;
  }
  return path;
}

void add_version_5(const line_unit& of, const line_strings& texts, std::set<std::string>& into) {
  byte_reader tables(of.tables);
  std::vector<std::string_view> directories;  // number 0 is where the compiler was started
  read_entries(tables, of, texts, [&](std::uint64_t, const line_entry& one) {
    if (directories.size() < most_files) directories.push_back(one.path);
  });
  read_entries(tables, of, texts, [&](std::uint64_t, const line_entry& one) {
    if (one.path.empty() || directories.empty() || into.size() >= most_files) return;
    const std::string_view directory =
        one.directory != 0 && one.directory < directories.size() ? directories[one.directory] : "";
    into.insert(joined(directories[0], directory, one.path));
  });
}

// Directories and files are counted from 1, and each list ends with an empty name.
void add_version_2(const line_unit& of, std::set<std::string>& into) {
  byte_reader tables(of.tables);
  std::vector<std::string_view> directories{{}};
  while (tables.more()) {
    const std::string_view directory = tables.string();
    if (directory.empty()) break;
    directories.push_back(directory);
  }
  while (tables.more() && into.size() < most_files) {
    const std::string_view name = tables.string();
    if (name.empty()) break;
    const std::uint64_t directory = tables.unsigned_leb();
    tables.unsigned_leb();  // time
    tables.unsigned_leb();  // size
    if (!tables.failed()) into.insert(joined({}, directory < directories.size() ? directories[directory] : "", name));
  }
}

}  // namespace

std::vector<std::string> list_line_files(debug_file& of) {
  const line_strings texts{of.section(".debug_line_str"), of.section(".debug_str")};
  byte_reader lines(of.section(".debug_line"));
  line_unit one;
  std::set<std::string> found;
  while (lines.more() && next_line_unit(lines, one)) {
    if (one.version == 5) add_version_5(one, texts, found);
    if (one.version >= 2 && one.version < 5) add_version_2(one, found);
  }
  return {found.begin(), found.end()};
}

}  // namespace autoreload::building
