// SPDX-License-Identifier: MIT
// line_reader: gets lines from a person or a file, while a library is edited.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "completion.hpp"

namespace autoreload::command {

/// What ended a wait.
enum class woken : std::uint8_t {
  input,      ///< standard input is readable
  message,    ///< there is something to print: see take_message
  interrupt,  ///< Ctrl-C
  resize,
  stop,  ///< Ctrl-Z
  end,   ///< the program shall end
};

/// What a reader needs of its owner.
struct reader_needs {
  std::function<woken()> wait;
  std::function<std::string()> take_message;
  std::function<completion(std::string_view)> complete;
  std::string history_file;  ///< empty: there is none
};

class line_reader {
 public:
  line_reader() = default;
  line_reader(const line_reader&) = delete;
  line_reader& operator=(const line_reader&) = delete;
  virtual ~line_reader() = default;
  /// The next line without its end; nothing at the end of the input, or when the program shall end.
  [[nodiscard]] virtual std::optional<std::string> read() = 0;

  /// A prompt, editing, completion and history (libedit). Null when the program was built without libedit.
  [[nodiscard]] static std::unique_ptr<line_reader> editing(reader_needs needs);
  /// Lines as they come. @param prompt  may be empty
  [[nodiscard]] static std::unique_ptr<line_reader> plain(reader_needs needs, std::string prompt);
};

}  // namespace autoreload::command
