// SPDX-License-Identifier: MIT
// server: several threads answer requests by a library that is replaced under them. The watcher has a thread of its
// own; a request that is in the old code ends in the old code, the next one is in the new.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <autoreload/autoreload.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "handler.h"

namespace {

struct handler_api {
  autoreload::required<::handle> handle;
};

// A socket on a port of the system's choice, on this machine only.
int listen_locally() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 64) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("server");
    std::exit(EXIT_FAILURE);
  }
  std::printf("port %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

// One line, one answer, until the client goes.
void serve(int client, const autoreload::reloadable<handler_api>& library) {
  std::string waiting;
  std::array<char, 512> buffer{};
  for (ssize_t got = 0; (got = read(client, buffer.data(), buffer.size())) > 0;) {
    waiting.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = waiting.find('\n')) != std::string::npos; waiting.erase(0, end + 1)) {
      std::size_t length = library->handle(waiting.substr(0, end).c_str(), buffer.data(), buffer.size() - 1);
      buffer[length++] = '\n';
      if (send(client, buffer.data(), length, MSG_NOSIGNAL) != static_cast<ssize_t>(length)) return;
    }
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s LIBHANDLER.SO\n", words[0]);
    return 2;
  }
  // Blocked before the first thread starts, so that all leave them to sigwait.
  sigset_t endings;
  sigemptyset(&endings);
  sigaddset(&endings, SIGINT);
  sigaddset(&endings, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &endings, nullptr);

  const autoreload::reloadable<handler_api> library(words[1]);

  const int listener = listen_locally();
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      for (int client = 0; (client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; close(client)) {
        try {
          serve(client, library);
        } catch (const autoreload::error& not_loaded) {
          std::fprintf(stderr, "%s\n", not_loaded.what());
        }
      }
    });
  }
  int signal = 0;
  sigwait(&endings, &signal);
  shutdown(listener, SHUT_RDWR);  // every accept returns; who serves a client ends when the client does
  for (std::thread& worker : workers) worker.join();
}
