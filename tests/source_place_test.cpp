// SPDX-License-Identifier: MIT
// source_place_test: functions and lines of real libraries of several compilers and linkers, against what binutils say;
// and damaged ones, which must end in no answer or a wrong one, but end.
#include "crash/source_place.hpp"

#include <elf.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "elf/sections.hpp"
#include "safety_support.hpp"

namespace autoreload {
namespace {

namespace fs = std::filesystem;

file_bytes bytes_of(const std::string& content) { return std::as_bytes(std::span(content)); }

std::vector<std::string> fixtures() {
  std::vector<std::string> all;
  for (const auto& file : fs::directory_iterator(test::built("CRASH_FIXTURES"))) {
    if (file.path().filename().string().starts_with("lines-") && file.path().extension() == ".so") {
      all.push_back(file.path().string());
    }
  }
  return all;
}

struct function {
  std::string name;
  std::uint64_t begin;
  std::uint64_t size;
};

std::vector<function> functions_of(file_bytes file) {
  const elf_sections sections(file);
  Elf64_Shdr section;
  Elf64_Shdr strings;
  std::vector<function> all;
  if (!sections.find(".symtab", section) || !sections.at(section.sh_link, strings)) return all;
  Elf64_Sym symbol;
  for (std::uint64_t i = 1; read_record(sections.content(section), i, symbol); ++i) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_size == 0 || symbol.st_shndx == SHN_UNDEF) continue;
    all.push_back({std::string(string_at(sections.content(strings), symbol.st_name)), symbol.st_value, symbol.st_size});
  }
  return all;
}

std::string name_of(const line_place& place) {
  if (place.file.empty()) return "??";
  fs::path name(place.root);
  name /= place.directory;
  name /= place.file;
  return name.lexically_normal().string();
}

bool is_installed(const std::string& program) {
  return std::system((program + " --version >/dev/null 2>&1").c_str()) == 0;
}

// One line of `file:line` for each address. `program` is one of the two that print the same.
std::vector<std::string> ask(const std::string& program, const std::string& library,
                             const std::vector<std::uint64_t>& addresses) {
  const test::temporary_directory directory;
  std::ostringstream list;
  for (const std::uint64_t address : addresses) list << std::hex << "0x" << address << '\n';
  test::write_file(directory / "addresses", list.str());
  const std::string command = program + " -e '" + library + "' < '" + (directory / "addresses") + "' 2>/dev/null";
  std::vector<std::string> lines;
  FILE* const answer = ::popen(command.c_str(), "r");
  std::array<char, 4096> line{};
  while (answer != nullptr && std::fgets(line.data(), line.size(), answer) != nullptr) {
    lines.emplace_back(line.data(), std::strcspn(line.data(), "\n"));
  }
  if (answer != nullptr) ::pclose(answer);
  return lines;
}

// The place as the other program prints it, without what only it can know: before version 5 the line table doesn't tell
// where the compiler was started, so its names start anywhere.
std::string shortened(const std::string& name) {
  std::string rest = fs::path(name).lexically_normal().string();
  while (rest.starts_with("../")) rest.erase(0, 3);
  return rest;
}

TEST(source_place, agrees_with_other_readers_all_over_the_code) {
  const std::vector<std::string> libraries = fixtures();
  ASSERT_FALSE(libraries.empty());
  const bool llvm = is_installed("llvm-addr2line");
  const std::string program = llvm ? "llvm-addr2line" : "addr2line";
  if (!is_installed(program)) GTEST_SKIP() << "neither llvm-addr2line nor addr2line is installed";
  for (const std::string& library : libraries) {
    SCOPED_TRACE(library);
    // binutils 2.40 takes the files of some DWARF 5 tables for one another: line 1,804 of a file of 30 lines.
    if (!llvm && library.ends_with("-5.so")) continue;
    const std::string content = test::read_file(library);
    std::vector<std::uint64_t> addresses;
    for (const function& one : functions_of(bytes_of(content))) {
      for (std::uint64_t at = 0; at < one.size; at += 11) addresses.push_back(one.begin + at);
    }
    const std::vector<std::string> expected = ask(program, library, addresses);
    ASSERT_EQ(expected.size(), addresses.size());
    std::size_t known = 0;
    std::size_t differences = 0;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const line_place place = find_line(bytes_of(content), addresses[i]);
      const std::size_t colon = expected[i].rfind(':');
      const std::string file = fs::path(expected[i].substr(0, colon)).lexically_normal().string();
      const auto line = static_cast<unsigned>(std::atoi(expected[i].c_str() + colon + 1));  // 0 for "?"
      known += line != 0;
      // Where they know the file alone, the table has line 0, for which we take the line before it.
      const bool same =
          line == 0 ? place.line == 0 || file != "??" : file.ends_with(shortened(name_of(place))) && place.line == line;
      if (!same && ++differences < 5) {
        ADD_FAILURE() << std::hex << addresses[i] << ": " << name_of(place) << ":" << std::dec << place.line
                      << ", they say " << expected[i];
      }
    }
    EXPECT_EQ(differences, 0U);
    EXPECT_GT(known, 50U) << "too few lines to show anything";
  }
}

TEST(source_place, names_every_function_also_static_ones) {
  for (const std::string& library : fixtures()) {
    SCOPED_TRACE(library);
    const std::string content = test::read_file(library);
    bool hidden = false;
    std::map<std::uint64_t, int> at;  // several names for one place
    const std::vector<function> all = functions_of(bytes_of(content));
    for (const function& one : all) ++at[one.begin];
    for (const function& one : all) {
      hidden = hidden || one.name.starts_with("hidden_writer");
      if (at[one.begin] > 1) continue;
      const function_place first = find_function(bytes_of(content), one.begin);
      const function_place last = find_function(bytes_of(content), one.begin + one.size - 1);
      EXPECT_EQ(first.name, one.name);
      EXPECT_EQ(first.offset, 0U);
      EXPECT_EQ(last.name, one.name);
      EXPECT_EQ(last.offset, one.size - 1);
    }
    EXPECT_TRUE(hidden);
  }
}

TEST(source_place, names_exported_functions_of_a_stripped_library) {
  const test::temporary_directory directory;
  const std::string copy = directory / "stripped.so";
  fs::copy_file(test::built("CRASH_FIXTURES") + "/crasher.so", copy);
  if (std::system(("strip '" + copy + "' 2>/dev/null").c_str()) != 0) GTEST_SKIP() << "strip is not installed";
  const std::string whole = test::read_file(test::built("CRASH_FIXTURES") + "/crasher.so");
  const std::string stripped = test::read_file(copy);
  for (const function& one : functions_of(bytes_of(whole))) {
    if (one.name == "write_null") {
      EXPECT_EQ(find_function(bytes_of(stripped), one.begin + 1).name, one.name);
    }
    if (one.name == "hidden_writer") {
      EXPECT_EQ(find_function(bytes_of(stripped), one.begin + 1).name, "");
    }
    EXPECT_EQ(find_line(bytes_of(stripped), one.begin).file, "");
  }
}

TEST(source_place, finds_nothing_outside_of_code) {
  const std::string content = test::read_file(fixtures().front());
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    EXPECT_EQ(find_function(bytes_of(content), address).name, "");
    EXPECT_EQ(find_line(bytes_of(content), address).file, "");
  }
  EXPECT_EQ(find_line({}, 0).file, "");
  EXPECT_EQ(find_line(bytes_of("\x7f"
                               "ELF"),
                      0)
                .file,
            "");
}

TEST(source_place, finds_its_own_lines_in_a_large_program) {
  const std::string content = test::read_file("/proc/self/exe");
  if (elf_sections(bytes_of(content)).content(".debug_line").empty()) GTEST_SKIP() << "built without -g";
  std::uint64_t own = 0;
  for (const function& one : functions_of(bytes_of(content))) {
    if (one.name.find("finds_its_own_lines_in_a_large_program_Test8TestBodyEv") == std::string::npos) continue;
    for (std::uint64_t at = 0; at < one.size; at += 16) {
      own += name_of(find_line(bytes_of(content), one.begin + at)).ends_with("tests/source_place_test.cpp");
    }
  }
  EXPECT_GT(own, 10U);
}

// Files that the linker has not finished, or that something has run over: any answer will do, as long as one comes.
TEST(source_place, survives_damage) {
  std::mt19937 random(1);
  for (const std::string& library : fixtures()) {
    const std::string whole = test::read_file(library);
    const elf_sections sections(bytes_of(whole));
    const file_bytes lines = sections.content(".debug_line");
    ASSERT_FALSE(lines.empty());
    const auto lines_at = static_cast<std::size_t>(lines.data() - bytes_of(whole).data());
    const std::vector<function> all = functions_of(bytes_of(whole));
    for (int round = 0; round < 60; ++round) {
      std::string damaged = whole;
      const auto below = [&](std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
      };
      switch (round % 4) {
        case 0:
          for (int i = 0; i < 20; ++i) damaged[lines_at + below(lines.size())] = static_cast<char>(below(256));
          break;
        case 1: damaged.resize(below(damaged.size())); break;
        case 2:
          for (int i = 0; i < 50; ++i) damaged[below(damaged.size())] = static_cast<char>(below(256));
          break;
        default: {  // the section table: offsets, sizes, links
          const std::size_t table = damaged.size() - std::min<std::size_t>(damaged.size(), 2600);
          for (int i = 0; i < 8; ++i) damaged[table + below(damaged.size() - table)] = static_cast<char>(below(256));
        }
      }
      damaged.shrink_to_fit();
      for (int i = 0; i < 10; ++i) {
        const std::uint64_t address = all[below(all.size())].begin + below(16);
        const function_place function = find_function(bytes_of(damaged), address);
        const line_place place = find_line(bytes_of(damaged), address);
        EXPECT_LE(function.name.size() + place.file.size() + place.directory.size() + place.root.size(),
                  4 * damaged.size());
      }
    }
  }
}

}  // namespace
}  // namespace autoreload
