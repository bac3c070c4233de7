// SPDX-License-Identifier: MIT
// tcc_chain: the commands of a chain, with tcc in the compiler's place.
#include <algorithm>
#include <filesystem>

#include "rebuild/bare_command.hpp"
#include "rebuild/chain.hpp"

namespace autoreload::building {
namespace fs = std::filesystem;
namespace {

// The options that say what the source means. How to optimise and what to warn of is gcc's business.
std::string meaning_options(const std::vector<std::string>& words) {
  std::string kept;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const bool path = word.starts_with("-I") || word.starts_with("-D") || word.starts_with("-U");
    const bool two = word == "-isystem" || word == "-include" || ((word == "-I" || word == "-D" || word == "-U"));
    if (two && i + 1 < words.size()) {
      kept += " " + std::string(word) + " " + quoted(words[++i]);
    } else if (path) {
      kept += " " + quoted(words[i]);
    }
  }
  return kept;
}

}  // namespace

std::optional<chain> with_tcc(const chain& learned, const std::string& library) {
  const std::optional<compile_and_link> both = read_two(learned);
  if (!both || !both->source.ends_with(".c")) return std::nullopt;
  const auto& [compile, link, source, object] = *both;
  const auto is_object = [](const std::string& word) { return word.ends_with(".o") || word.ends_with(".a"); };
  const auto objects = std::count_if(link.words.begin() + 1, link.words.end(), is_object);
  std::error_code ignored;
  const std::string real = fs::weakly_canonical(library, ignored);
  const std::string beside = real + ".tcc";
  const std::string options = meaning_options(compile.words);
  chain made;
  made.learned_from = learned.learned_from;
  if (objects == 1) {
    std::string libraries;
    for (const std::string& word : link.words) {
      if (word.starts_with("-l") || word.starts_with("-L")) libraries += " " + quoted(word);
    }
    made.lines.push_back(compile.enter + "tcc -shared" + options + " -o " + quoted(beside) + " " + quoted(source) +
                         libraries);
  } else {
    made.lines.push_back(compile.enter + "tcc -c -fPIC" + options + " -o " + quoted(beside + ".o") + " " +
                         quoted(source));
    std::string again;
    // tcc's objects do not say that they need no executable stack, and linkers take silence for a yes.
    const std::string linker = fs::path(link.words[0]).filename();
    const bool driver = linker != "mold" && !linker.starts_with("ld");
    for (std::size_t i = 0; i < link.words.size(); ++i) {
      const std::string& word = link.words[i];
      const bool after_output = i > 0 && link.words[i - 1] == "-o";
      again += (i > 0 ? " " : "") + quoted(word == object ? beside + ".o" : after_output ? beside : word);
    }
    made.lines.push_back(link.enter + again + (driver ? " -Wl,-z,noexecstack" : " -z noexecstack"));
  }
  made.lines.push_back("mv -f " + quoted(beside) + " " + quoted(real));
  return made;
}

}  // namespace autoreload::building
