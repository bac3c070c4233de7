// SPDX-License-Identifier: MIT
// compile_database: from JSON to words.
#include "rebuild/compile_database.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#ifdef AUTORELOAD_WITH_JSON
#include <nlohmann/json.hpp>
#endif

#include "rebuild/chain.hpp"

namespace autoreload::building {
namespace fs = std::filesystem;
namespace {

bool one_of(std::string_view word, const auto& list) { return std::find(list.begin(), list.end(), word) != list.end(); }

#ifdef AUTORELOAD_WITH_JSON
std::string text_in(const nlohmann::json& entry, const char* name) {
  const auto found = entry.find(name);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> words_in(const nlohmann::json& entry) {
  if (const auto list = entry.find("arguments"); list != entry.end() && list->is_array()) {
    std::vector<std::string> words;
    for (const nlohmann::json& one : *list) words.push_back(one.is_string() ? one.get<std::string>() : std::string());
    return words;
  }
  return shell_words(text_in(entry, "command")).value_or(std::vector<std::string>{});
}
#endif

}  // namespace

std::vector<compile_entry> read_compile_database([[maybe_unused]] std::string_view text,
                                                 [[maybe_unused]] const std::string& from) {
  std::vector<compile_entry> found;
#ifdef AUTORELOAD_WITH_JSON
  const nlohmann::json all = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!all.is_array()) return found;
  for (const nlohmann::json& entry : all) {
    if (!entry.is_object()) continue;
    compile_entry one;
    one.words = words_in(entry);
    one.directory = (fs::path(from) / text_in(entry, "directory")).lexically_normal();
    one.source = (fs::path(one.directory) / text_in(entry, "file")).lexically_normal();
    if (!one.words.empty() && !text_in(entry, "file").empty()) found.push_back(std::move(one));
  }
#endif
  return found;
}

std::vector<std::string> compile_options(const std::vector<std::string>& words) {
  constexpr std::array<std::string_view, 12> dropped_pairs{"-o", "-MF", "-MT", "-MQ",      "-MJ", "-L",
                                                           "-l", "-z",  "-u",  "-Xlinker", "-T",  "-dumpbase"};
  constexpr std::array<std::string_view, 16> kept_pairs{
      "-I", "-D",      "-U",      "-include", "-isystem",  "-iquote",   "-idirafter", "-imacros",
      "-x", "-Xclang", "-target", "-arch",    "-isysroot", "--sysroot", "--param",    "-mllvm"};
  // A compiler's cache compiles what it has preprocessed, and debug information has its options.
  constexpr std::array<std::string_view, 9> dropped{
      "-c", "-shared", "-MD", "-MMD", "-MP", "-MG", "-M", "-fpreprocessed", "-fdirectives-only"};
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (one_of(word, dropped_pairs)) {
      ++i;
    } else if (one_of(word, kept_pairs)) {
      kept.emplace_back(word);
      if (++i < words.size()) kept.push_back(words[i]);
    } else if (word.starts_with('-') && word.size() > 1 && !one_of(word, dropped) && !word.starts_with("-Wl,") &&
               !word.starts_with("-l") && !word.starts_with("-L") && !word.starts_with("-o")) {
      kept.emplace_back(word);
    }
  }
  return kept;
}

}  // namespace autoreload::building
