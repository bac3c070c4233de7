// SPDX-License-Identifier: MIT
// in_a_child: runs a story that spoils its process in a process of its own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <string>

namespace support {

inline constexpr int skipped = 77;

/// Runs a story in a child. It returns an empty text when all went well, what did not otherwise, or "skip: …".
inline void in_a_child(const std::function<std::string()>& story) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const pid_t child = fork();
  if (child == 0) {
    report[1] = fcntl(report[1], F_DUPFD_CLOEXEC, 200);  // out of the way of a story that closes what it doesn't know
    std::string text;
    try {
      text = story();
    } catch (const std::exception& failure) {
      text = failure.what();
    }
    [[maybe_unused]] const ssize_t written = write(report[1], text.data(), text.size());
    _exit(text.empty() ? 0 : text.starts_with("skip") ? skipped : 1);
  }
  close(report[1]);
  std::string text;
  char buffer[1024];
  for (ssize_t got = 0; (got = read(report[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  close(report[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == skipped) GTEST_SKIP() << text;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << text;
}

}  // namespace support
