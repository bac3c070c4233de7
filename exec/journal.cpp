// SPDX-License-Identifier: MIT
// journal: one write for each text.
//
// SHARED  the file's name, written once before there are other threads.
#include "exec/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "system/file_limit.hpp"
#include "system/held_signal.hpp"

namespace autoreload::exec {
namespace {

std::string& journal_file() {
  static auto* const name = new std::string;  // threads go on while the process ends
  return *name;
}

}  // namespace

void open_journal(const std::string& file) { journal_file() = file; }

void say(const std::string& text) {
  const std::string line = "autoreload: " + text + "\n";
  // The program may close any number: the file is opened for each text.
  int to = STDERR_FILENO;
  const std::string& name = journal_file();
  if (!name.empty()) to = open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
  if (to < 0) return;  // whose standard error is, nobody knows by now
  {
    const held_signal no_sigpipe(SIGPIPE);
    const quiet_file_limit no_sigxfsz;
    [[maybe_unused]] const ssize_t written = write(to, line.data(), line.size());
  }
  if (!name.empty()) close(to);
}

}  // namespace autoreload::exec
