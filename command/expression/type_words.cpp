// SPDX-License-Identifier: MIT
// type_words: counts the words, because C allows them in any order.
#include "type_words.hpp"

#include <algorithm>
#include <array>

namespace autoreload::command {

namespace {

constexpr std::array<std::string_view, 21> type_words{
    "void",   "char",  "short", "int",   "long",     "float",    "double",  "signed",   "unsigned", "_Bool",     "bool",
    "struct", "union", "enum",  "const", "volatile", "restrict", "_Atomic", "_Complex", "__int128", "__restrict"};

}  // namespace

bool is_type_word(std::string_view word) { return std::ranges::find(type_words, word) != type_words.end(); }

bool is_qualifier(std::string_view word) {
  return word == "const" || word == "volatile" || word == "restrict" || word == "_Atomic" || word == "__restrict";
}

std::string usual_words(const std::vector<std::string>& words, place where) {
  const auto count = [&](std::string_view word) { return std::ranges::count(words, word); };
  const auto wrong = [&] { complain(where, "C has no such type"); };
  for (const std::string& word : words) {
    if (count(word) > (word == "long" ? 2 : 1)) wrong();
  }
  const auto longs = count("long");
  const bool complex = count("_Complex") != 0;
  std::string sign = count("unsigned") != 0 ? "unsigned" : count("signed") != 0 ? "signed" : "";
  if (count("unsigned") != 0 && count("signed") != 0) wrong();

  std::string main;
  for (const std::string& word : words) {
    if (word == "long" || word == "unsigned" || word == "signed" || word == "_Complex") continue;
    if (word == "int" && count("short") != 0) continue;
    if (!main.empty()) wrong();
    main = word == "bool" ? "_Bool" : word;
  }
  const bool floating = main == "float" || main == "double";
  if (complex && (!sign.empty() || (!floating && !(main.empty() && longs == 0)))) wrong();
  if (complex) {
    if (longs > (main == "float" ? 0 : 1)) wrong();
    const std::string part = main.empty() ? "double" : main;
    return (longs != 0 ? "long " : "") + part + " _Complex";
  }
  if (floating || main == "void" || main == "_Bool") {
    if (!sign.empty() || longs > (main == "double" ? 1 : 0)) wrong();
    return (longs != 0 ? "long " : "") + main;
  }
  if (main == "char") {
    if (longs != 0) wrong();
    return sign.empty() ? main : sign + " " + main;
  }
  if ((main == "short" || main == "__int128") && longs != 0) wrong();
  std::string size = main.empty() || main == "int" ? "" : main;
  for (auto n = longs; n > 0; --n) size += size.empty() ? "long" : " long";
  if (size.empty()) size = "int";
  return sign == "unsigned" ? "unsigned " + size : size;
}

}  // namespace autoreload::command
