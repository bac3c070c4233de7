// SPDX-License-Identifier: MIT
// worker_wire: a message is written in one piece, so that its start is never without its end.
#include "worker_wire.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace autoreload::command {

bool write_all(int file, const void* bytes, std::size_t size) {
  const char* from = static_cast<const char*>(bytes);
  while (size != 0) {
    const ssize_t put = write(file, from, size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) {  // somebody else, who has the file too, made it so
      pollfd room{file, POLLOUT, 0};
      poll(&room, 1, -1);
      continue;
    }
    if (put <= 0) return false;
    from += put;
    size -= static_cast<std::size_t>(put);
  }
  return true;
}

bool send_message(int file, message_kind kind, std::string_view payload) {
  message_head head{};
  head.size = static_cast<std::uint32_t>(payload.size());
  head.kind = kind;
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes += payload;
  return write_all(file, bytes.data(), bytes.size());
}

}  // namespace autoreload::command
