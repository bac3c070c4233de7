// SPDX-License-Identifier: MIT
// session: one expression after the other, each knowing the results before it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "expression/typing.hpp"

namespace autoreload::command {

struct checked_expression {
  std::string text;
  node_pointer tree;
  std::vector<shown_object> shown;
};

/// Types of the results so far. The program checks with one, the process that has the library with another.
class session {
 public:
  explicit session(type_table& types) : types_(types) {}

  /// Parses and checks an expression; its results are the next `$1`, `$2` ….
  /// @throws complaint
  [[nodiscard]] checked_expression check(std::string text);
  /// The type that an expression has; it is not evaluated, and no result is counted.
  /// @throws complaint
  [[nodiscard]] type_index type_of(const std::string& text);
  /// Takes back the results of an expression that was checked and then failed.
  void forget(const checked_expression& failed) { earlier_.resize(earlier_.size() - failed.shown.size()); }
  [[nodiscard]] std::size_t results() const { return earlier_.size(); }

 private:
  type_table& types_;
  std::vector<type_index> earlier_;
};

/// The names in an expression, for which types are read. Empty for what is no expression.
[[nodiscard]] std::vector<std::string> names_in(std::string_view text);

/// A complaint as lines: the sentence, the expression with carets, the notes.
[[nodiscard]] std::string describe(const complaint& wrong, const std::string& expression);

}  // namespace autoreload::command
