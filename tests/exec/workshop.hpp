// SPDX-License-Identifier: MIT
// workshop: a library and a program that is linked with it, in a directory of their own.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "../support.hpp"

namespace support {

class workshop {
 public:
  [[nodiscard]] std::string directory() const { return place_.path().string(); }
  [[nodiscard]] std::string operator/(const std::string& name) const { return place_ / name; }

  /// Compiles a source into a library that replaces the one before at once, as builds do.
  void library(const std::string& source, const std::string& flags = {}, const std::string& name = "libfoo.so") {
    write_file(place_ / (name + ".c"), source);
    compile("-g -shared -fPIC -o new.so '" + name + ".c' -Wl,-soname," + name + " " + flags);
    std::filesystem::rename(place_ / "new.so", place_ / name);
  }
  /// Compiles a program that needs `libfoo.so`.
  void program(const std::string& source, const std::string& flags = "-L. -lfoo",
               const std::string& run_path = "-Wl,-rpath,\"$PWD\"") {
    write_file(place_ / "app.c", source);
    compile("-g -o app app.c " + flags + " " + run_path);
  }
  void compile(const std::string& words) {
    const char* const compiler = std::getenv("AUTORELOAD_TEST_CC");
    if (compiler == nullptr) throw std::runtime_error("AUTORELOAD_TEST_CC names no compiler");
    shell("cd '" + directory() + "' && " + compiler + " " + words);
  }

 private:
  temp_directory place_;
};

/// A part of a program: it puts next.so in the place of libfoo.so when it starts. What stands in .preinit_array runs
/// before the constructor in which the agent takes its first look.
inline const char* const replacing_at_start =
    "static void replace(void) { extern int rename(const char*, const char*); rename(\"next.so\", \"libfoo.so\"); }\n"
    "static void (*const first)(void) __attribute__((section(\".preinit_array\"), used)) = replace;\n";

/// The frame of a program that prints a line for each that it reads: `answer(line)` does it.
inline std::string asked_program(const std::string& body) {
  return "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" + body +
         "int main(void) {\n  char line[256];\n  setvbuf(stdout, 0, _IOLBF, 0);\n"
         "  while (fgets(line, sizeof line, stdin)) { line[strcspn(line, \"\\n\")] = 0; answer(line); }\n"
         "  return 7;\n}\n";
}

/// A library whose `foo` returns a number, and a program that prints what it returns.
inline std::string number_library(int value) { return "int foo(void) { return " + std::to_string(value) + "; }\n"; }
inline std::string number_program() {
  return asked_program(
      "int foo(void);\nstatic void answer(const char* line) { (void)line; printf(\"%d\\n\", foo()); }\n");
}

/// A program whose four threads call `one` and `both` from `start` to `end`. It prints what `one` returns, and 1 if
/// that ever went back or if `both` found functions of two builds.
inline std::string calling_program() {
  return asked_program(
      "#include <pthread.h>\nint one(void); int both(void);\n"
      "static volatile int stop, wrong; static long calls[4]; static pthread_t threads[4];\n"
      "static void* run(void* at) { int last = 0; while (!stop) { int now = one(); if (now < last || both() != 0) "
      "wrong = 1; last = now; ++*(long*)at; } return 0; }\n"
      "static void answer(const char* line) {\n"
      "  if (*line == 's') for (int i = 0; i < 4; ++i) pthread_create(threads + i, 0, run, calls + i);\n"
      "  if (*line == 'e') { stop = 1; for (int i = 0; i < 4; ++i) pthread_join(threads[i], 0); }\n"
      "  printf(\"%d %d\\n\", one(), wrong); }\n");
}

}  // namespace support
