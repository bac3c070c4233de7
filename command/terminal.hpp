// SPDX-License-Identifier: MIT
// terminal: colours where they are wanted, errors in one form, and a line that says what takes time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <autoreload/error.hpp>

namespace autoreload::command {

enum class colour_choice : std::uint8_t { automatic, always, never };
enum class ink : std::uint8_t { plain, bold, red, green, yellow, blue, grey };

/// Decides for the whole program: by the option, then NO_COLOR and TERM, then whether it is a terminal.
void choose_colours(colour_choice choice);
/// The text in a colour, if the descriptor takes colours.
[[nodiscard]] std::string paint(ink colour, std::string_view text, int descriptor);

/// What was written to standard output did not arrive: its reader is gone, or the disk is full. Ends the program.
struct lost_output {
  int reason;  ///< errno
};
/// Writes all of it to standard output. @throws lost_output
void write_output(std::string_view text);

/// `error: …` on standard error. The first line is the sentence, the others explain it.
void say_error(std::string_view text);
void say_error(const error& failure);
/// An error's advice without what only a program in C++ can do: the fields of its options become this command's
/// options, and alternatives that have none are left out.
[[nodiscard]] std::string advice_of(const error& failure);
/// An error as lines, as they stand after `error: `.
[[nodiscard]] std::string lines_of(const error& failure);
/// `note: …` on standard error.
void say_note(std::string_view text);

/// Says on a terminal what is being done, for as long as it lives; says nothing elsewhere.
class progress {
 public:
  explicit progress(const std::string& what);
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

 private:
  bool shown_;
};

}  // namespace autoreload::command
