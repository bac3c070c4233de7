// SPDX-License-Identifier: MIT
// linked_host: a program that is linked with libfoo, calls it as ever, and has it reloaded. Each line that it reads is
// a question. Events go to standard error, a line each: kind, generation, and the stage that refused.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>

#include <autoreload/linked.hpp>

extern "C" {
int foo(void);
int bar(void);
extern int calls;
}

namespace {

int (*volatile kept)() = foo;  // since before main

void tell(const autoreload::event& happened) {
  std::string line = "event " + std::string(to_string(happened.kind)) + " " + std::to_string(happened.generation);
  if (happened.failure) line += " " + std::string(to_string(happened.failure->at()));
  if (happened.kind == autoreload::event_kind::warning) line += " " + happened.text;
  std::cerr << line + "\n";
}

// `--lib NAME`, `--trial`
autoreload::linked_options options_of(char** words) {
  autoreload::linked_options options;
  options.observer = tell;
  for (; *words != nullptr; ++words) {
    const std::string word = *words;
    if (word == "--trial") options.trial = true;
    if (word == "--lib" && words[1] != nullptr) options.libraries.emplace_back(words[1]);
  }
  return options;
}

std::string all(char** words) {
  std::string text;
  for (; *words != nullptr; ++words) text += std::string(text.empty() ? "" : " ") + *words;
  return text;
}

std::string environment() {
  const char* const preload = std::getenv("LD_PRELOAD");
  return std::string(preload != nullptr ? preload : "none") +
         (std::getenv("AUTORELOAD_LINKED") != nullptr ? " and a variable" : "");
}

// What a forked child sees, which lets go of all that it has.
int of_child(std::optional<autoreload::linked_libraries>& reloaded) {
  const pid_t child = fork();
  if (child == 0) {
    reloaded.reset();
    _exit(foo());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

}  // namespace

int main(int, char** argv) {
  auto started = autoreload::reload_linked_libraries(argv, options_of(argv));
  std::optional<autoreload::linked_libraries> reloaded;
  if (started) {
    reloaded.emplace(*std::move(started));
    for (const std::string& text : reloaded->remarks()) std::cerr << "remark " + text + "\n";
  } else {
    std::cerr << std::string("error ") + started.error().what() + "\n";
  }
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "foo") std::cout << foo() << " after " << calls << std::endl;
    if (line == "kept") std::cout << kept() << std::endl;
    if (line == "bar") std::cout << bar() << std::endl;
    if (line == "words") std::cout << all(argv) << std::endl;
    if (line == "environment") std::cout << environment() << std::endl;
    if (line == "child") std::cout << of_child(reloaded) << std::endl;
    if (line == "paths") std::cout << (reloaded ? reloaded->paths().size() : 0) << std::endl;
    if (line == "again") std::cout << autoreload::reload_linked_libraries(argv).error().reason() << std::endl;
    if (line == "enough") {
      reloaded.reset();
      std::cout << "enough" << std::endl;
    }
  }
  return 7;
}
