// SPDX-License-Identifier: MIT
// syntax: an expression as a tree. The parser makes it, typing fills in what the types are, evaluation walks it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "complaint.hpp"
#include "lexer.hpp"
#include "types/description.hpp"

namespace autoreload::command {

/// What stands around a type's name, from the name outwards as it is applied: `int *[3]` is a pointer, then an array.
struct declared_type;
struct type_step {
  enum class kind : std::uint8_t { pointer, constant, array, function };
  type_step(kind what);  // NOLINT(google-explicit-constructor): a list of steps is written as one

  kind is;
  std::optional<std::uint64_t> length;  ///< of an array; none: as many as the initializer has
  std::vector<declared_type> parameters;
  bool variadic = false;
};

/// A type as an expression names it.
struct declared_type {
  place where{};
  types::kind tag = types::kind::unknown;  ///< structure, unite or enumeration: `name` is a tag
  std::string name{};                      ///< tag, typedef's name, or base type in its usual words
  bool constant = false;
  std::vector<type_step> steps{};
};

// Here, because the parameters' type has to be complete.
inline type_step::type_step(kind what) : is(what) {}

enum class node_kind : std::uint8_t {
  whole,
  real,
  character,
  string,
  name,        ///< a variable, a function or a constant: typing says which
  earlier,     ///< `$1`
  unary,       ///< - + ! ~ * & and ++ -- before
  step_after,  ///< ++ -- after
  binary,
  assign,  ///< `text` is `=`, `+=` …
  conditional,
  call,    ///< the first part is what is called
  member,  ///< `text` is the field's name; `through_pointer` for ->
  index,
  cast,
  literal,   ///< (type){…}
  braces,    ///< {…}, only where an object is made
  size_of,   ///< of its part, or of `named`
  align_of,  ///< of `named`
  fresh,     ///< &type: the address of a new object, which is shown afterwards
};

/// `.name` or `[3]` before an initializer.
struct designator {
  place where;
  std::string name;  ///< empty: an index
  std::uint64_t index = 0;
};

/// Where a part of {…} goes, from the start of the object that is made.
struct slot {
  types::type_index type = 0;
  std::uint64_t bit_offset = 0;
  std::uint64_t bit_size = 0;  ///< of a bit-field, else 0
};

/// What a name stands for.
enum class name_role : std::uint8_t { unknown, variable, function, constant };

struct node;
using node_pointer = std::unique_ptr<node>;

struct node {
  node_kind kind = node_kind::whole;
  place where{};
  std::string text{};
  token literal{};
  std::vector<node_pointer> parts{};
  std::vector<std::vector<designator>> designators{};  ///< of braces, one list for each part
  std::optional<declared_type> named{};
  bool through_pointer = false;

  // What typing says.
  types::type_index type = 0;  ///< of the value; for an object its own type
  bool object = false;         ///< it has an address, or is a bit-field of what has one
  bool bit_field = false;
  name_role role = name_role::unknown;
  types::type_index common = 0;  ///< of binary and conditional: what both sides are converted to
  std::vector<slot> slots{};     ///< of braces, one for each part
  std::int64_t constant = 0;     ///< of a name that is a constant
};

}  // namespace autoreload::command
