// SPDX-License-Identifier: MIT
// linker_chain: a chain whose library is linked by the linker alone: without the compiler's driver, its plugin, and the
// libraries, for which stubs stand.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "rebuild/bare_command.hpp"
#include "rebuild/chain.hpp"
#include "rebuild/link_stub.hpp"
#include "rebuild/text_file.hpp"

namespace autoreload::building {
namespace fs = std::filesystem;
namespace {

bool is_shared_library(const std::string& word) {
  const std::string name = fs::path(word).filename();
  return !word.starts_with('-') && (name.ends_with(".so") || name.find(".so.") != std::string::npos);
}

// Whole programs are optimised by a plugin of the linker; without libraries, others are a matter of order.
bool asks_too_much(const bare_command& one) {
  return std::any_of(one.words.begin(), one.words.end(), [](const std::string& word) {
    return word.starts_with("-flto") || word == "-static" || word == "-Wl,-Bstatic" || word.starts_with("@");
  });
}

// The linker by its own name, where gcc has collect2 start it.
std::string linker_of(const bare_command& link, const std::string& started) {
  if (fs::path(started).filename() != "collect2") return started;
  for (const std::string& word : link.words) {
    constexpr std::string_view choice = "-fuse-ld=";
    if (word.starts_with(choice)) return "ld." + word.substr(choice.size());
  }
  return "ld";
}

// What the driver would run: it says so when it is asked by `-###`, and runs nothing.
std::optional<std::vector<std::string>> linker_words(tool_finder& ask, const bare_command& link,
                                                     const std::string& directory) {
  const std::string question = link.enter + "exec " + line_of(link.words) + " '-###'";
  for (const std::string& line : lines_of(ask.answer({"/bin/sh", "-c", question}, directory).value_or(""))) {
    std::optional<std::vector<std::string>> words = shell_words(line);
    if (!words || words->size() < 2) continue;
    const std::string program = fs::path(words->front()).filename();
    if (program != "collect2" && program.find("ld") == std::string::npos) continue;
    if (std::find(words->begin(), words->end(), "-o") == words->end()) continue;
    words->front() = linker_of(link, words->front());
    return words;
  }
  return std::nullopt;
}

// Whether one of the directories that the linker is told has this file.
bool have(const std::vector<std::string>& words, const std::string& file) {
  std::error_code ignored;
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return word.starts_with("-L") && fs::exists(fs::path(word.substr(2)) / file, ignored);
  });
}

// The options whose value may look like a library.
bool takes_a_value(const std::string& option) {
  constexpr std::array<std::string_view, 8> those{"-o",     "-soname",     "--soname", "-h",
                                                  "-rpath", "-rpath-link", "-z",       "-m"};
  return std::find(those.begin(), those.end(), option) != those.end();
}

// The linker's command without its plugin and without shared libraries.
std::vector<std::string> without_libraries(const std::vector<std::string>& words) {
  constexpr const char* rest_of_libc = "libc_nonshared.a";  // what glibc's libc.so brings along: atexit and the like
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::string name = word.starts_with("-l") ? word.substr(2) : "";
    if (word == "-plugin") {
      ++i;
    } else if (takes_a_value(word) && i + 1 < words.size()) {
      kept.push_back(word);
      kept.push_back(words[++i]);
    } else if (name == "c" && have(words, rest_of_libc)) {
      kept.push_back(std::string("-l:") + rest_of_libc);
    } else if (!name.empty() && !name.starts_with(":")) {
      if (!have(words, "lib" + name + ".so") && have(words, "lib" + name + ".a")) kept.push_back(word);
    } else if (!word.starts_with("-plugin-opt=") && !word.starts_with("-fuse-ld=") && !is_shared_library(word) &&
               !is_shared_library(name)) {
      kept.push_back(word);
    }
  }
  return kept;
}

// The compiler's command for an object of another name. It writes no depfile: the tool's own command will.
bare_command compile_into(const bare_command& compile, const std::string& object) {
  constexpr std::array<std::string_view, 3> with_value{"-MF", "-MQ", "-MT"};
  constexpr std::array<std::string_view, 4> alone{"-MD", "-MMD", "-MP", "-MG"};
  bare_command made{compile.enter, {}};
  for (std::size_t i = 0; i < compile.words.size(); ++i) {
    const std::string& word = compile.words[i];
    if (std::find(with_value.begin(), with_value.end(), word) != with_value.end()) {
      ++i;
    } else if (word == "-o") {
      made.words.insert(made.words.end(), {word, object});
      ++i;
    } else if (std::find(alone.begin(), alone.end(), word) == alone.end()) {
      made.words.push_back(word);
    }
  }
  made.words.emplace_back("-pipe");  // the assembler starts at once
  return made;
}

fs::path real_file(const std::string& library) {
  std::error_code ignored;
  return fs::weakly_canonical(library, ignored);
}

// Where stubs and objects are that the tool does not know.
fs::path place_beside(const std::string& library) {
  const fs::path real = real_file(library);
  return real.parent_path() / ("." + real.filename().string() + ".quick");
}

bool write(const fs::path& to, const std::string& text) {
  std::ofstream file(to, std::ios::trunc);
  return !(file << text).fail() && !(file.flush()).fail();
}

}  // namespace

std::optional<std::vector<std::string>> make_stubs(tool_finder& ask, const std::vector<link_stub>& stubs,
                                                   const chain& learned, const std::string& library) {
  const std::optional<compile_and_link> both = read_two(learned);
  if (!both) return std::nullopt;
  std::error_code problem;
  const fs::path place = place_beside(library);
  fs::create_directory(place, problem);
  std::vector<std::string> files;
  for (const link_stub& one : stubs) {
    const std::string name = (place / ("stub" + std::to_string(files.size()))).string();
    if (!write(name + ".s", one.assembly) || !write(name + ".versions", one.versions)) return std::nullopt;
    std::vector<std::string> words{both->link.words[0], "-shared", "-nostdlib", "-Wl,-soname," + one.name};
    if (!one.versions.empty()) words.push_back("-Wl,--version-script," + name + ".versions");
    words.insert(words.end(), {"-x", "assembler", name + ".s", "-o", name + ".so"});
    if (!ask.answer(words, place)) return std::nullopt;
    files.push_back(name + ".so");
  }
  return files;
}

std::optional<chain> with_linker_alone(tool_finder& ask, const build_tool& tool, const chain& learned,
                                       const std::string& library, const std::vector<std::string>& stubs) {
  const std::optional<compile_and_link> both = read_two(learned);
  if (!both || asks_too_much(both->compile) || asks_too_much(both->link)) return std::nullopt;
  const std::optional<std::vector<std::string>> words = linker_words(ask, both->link, tool.run.directory);
  if (!words) return std::nullopt;
  const fs::path real = real_file(library);
  const fs::path place = place_beside(library);
  const std::string object = place / "object.o";
  const std::string output = place / real.filename();
  bare_command link{both->link.enter, without_libraries(*words)};
  for (std::size_t i = 1; i < link.words.size(); ++i) {
    if (link.words[i - 1] == "-o") link.words[i] = output;
    if (link.words[i] == both->object) link.words[i] = object;
  }
  // A name that none of the stubs has ends the link, and the tool is asked.
  link.words.insert(link.words.end(), {"-z", "defs", "--no-as-needed"});
  link.words.insert(link.words.end(), stubs.begin(), stubs.end());
  chain made;
  made.learned_from = learned.learned_from;
  made.lines = {compile_into(both->compile, object).line(), link.line(),
                "mv -f " + quoted(output) + " " + quoted(real)};
  return made;
}

}  // namespace autoreload::building
