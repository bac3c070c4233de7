// SPDX-License-Identifier: MIT
// worker_wire: what the process with the library and the one that shows results say to each other.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace autoreload::command {

/// The kind of a message to the worker.
enum class request_kind : std::uint8_t {
  evaluate = 1,  ///< an expression
  succeed,       ///< a succession: the worker copies itself
};

/// The start of each message to the worker.
struct request_head {
  std::uint32_t size = 0;  ///< bytes that follow
  request_kind kind = request_kind::evaluate;
};

/// The kind of a message to the parent.
enum class message_kind : std::uint8_t {
  ready = 1,     ///< the library is loaded: what was carried over, in a line, or nothing
  not_loaded,    ///< the loader's words
  calling,       ///< a function's name: it is called now
  result,        ///< name, type, text, JSON
  done,          ///< nanoseconds that the expression took
  complained,    ///< place, text, notes
  crashed,       ///< a crash_record
  threw,         ///< a C++ exception left the call
  successor,     ///< a pid_t: the copy that was made, whose further messages come by its own pipe
  no_successor,  ///< why there is none
  not_carried,   ///< of a successor: why it can't take over
};

/// What a signal handler can say. Plain bytes, written in one piece.
struct crash_record {
  int signal = 0;
  int code = 0;
  std::uint64_t fault = 0;
  std::uint64_t instruction = 0;
  std::uint64_t stack = 0;
  int frames = 0;  ///< of `callers`; -1: still to come in a second record
  std::array<std::uint64_t, 48> callers{};
};

/// The start of each message.
struct message_head {
  std::uint32_t size = 0;  ///< bytes that follow
  message_kind kind = message_kind::ready;
};

/// Writes all, whatever signals come, and waits for room. @return false when nobody reads; errno says why
bool write_all(int file, const void* bytes, std::size_t size);
bool send_message(int file, message_kind kind, std::string_view payload);

}  // namespace autoreload::command
