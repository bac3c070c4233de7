// SPDX-License-Identifier: MIT
// agreement: the same calls by the command and by a compiled program.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "program.hpp"

namespace support {

/// One expression of a list; `$N` is an earlier result.
struct listed_call {
  std::string text;
  bool has_value;
};

/// A C program that makes the calls in order, each result on a line: numbers exactly, strings in quotes.
inline std::string program_of(const std::vector<listed_call>& calls, const std::string& head) {
  std::string text = head + R"(
#include <stdio.h>
static void show_string(const char *s) {
  if (s == NULL) { puts("NULL"); return; }
  putchar('"');
  for (; *s != 0; ++s) *s == '\n' ? fputs("\\n", stdout) : *s == '"' ? fputs("\\\"", stdout) : putchar(*s);
  puts("\"");
}
static void show_real(long double d) { printf("%La\n", d); }
static void show_truth(_Bool b) { puts(b ? "true" : "false"); }
static void show_unsigned(unsigned long u) { printf("%lu\n", u); }
static void show_whole(long n) { printf("%ld\n", n); }
#define SHOW(v) _Generic((v), char *: show_string, const char *: show_string, unsigned char *: show_string, \
  const unsigned char *: show_string, float: show_real, double: show_real, long double: show_real, \
  _Bool: show_truth, unsigned long: show_unsigned, default: show_whole)(v)
int main(void) {
)";
  std::size_t count = 0;
  for (const listed_call& call : calls) {
    std::string line = call.text;
    for (std::size_t at = 0; (at = line.find('$', at)) != std::string::npos;) line.replace(at, 1, "result");
    if (call.has_value) {
      const std::string name = "result" + std::to_string(++count);
      text += "  __auto_type " + name + " = " + line + "; SHOW(" + name + ");\n";
    } else {
      text += "  " + line + ";\n";
    }
  }
  return text + "  return 0;\n}\n";
}

/// Whether both lines are the same value: the same text, the same number, or both an address.
inline bool agree(const std::string& shown, const std::string& compiled) {
  if (shown == compiled) return true;
  char* end_of_shown = nullptr;
  char* end_of_compiled = nullptr;
  const long double a = std::strtold(shown.c_str(), &end_of_shown);
  const long double b = std::strtold(compiled.c_str(), &end_of_compiled);
  if (*end_of_shown != '\0' || *end_of_compiled != '\0' || shown.empty()) return false;
  if (shown.starts_with("0x")) return a != 0 && b != 0;  // two processes, two addresses
  // The shown text is the shortest that reads back in the value's own type; the compiled one is exact.
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || static_cast<double>(a) == static_cast<double>(b) || static_cast<float>(a) == static_cast<float>(b);
}

/// Calls by the command, and compares with what the program printed.
inline void expect_agreement(const std::vector<std::string>& command, const std::vector<listed_call>& calls,
                             const std::string& compiled_output) {
  std::vector<std::string> words = command;
  for (const listed_call& call : calls) words.push_back(call.text);
  const ran came = autoreload(words);
  EXPECT_EQ(came.status, 0) << came.err;
  const std::vector<std::string> shown = came.lines();
  const std::vector<std::string> compiled = ran{0, compiled_output, {}}.lines();
  ASSERT_EQ(shown.size(), compiled.size()) << came.err;
  std::size_t line = 0;
  for (const listed_call& call : calls) {
    if (!call.has_value) continue;
    EXPECT_TRUE(agree(shown[line], compiled[line]))
        << call.text << "\n  the command: " << shown[line] << "\n  compiled:    " << compiled[line];
    ++line;
  }
}

}  // namespace support
