// SPDX-License-Identifier: MIT
// description: what a caller must know of a library's symbols, as a graph of types; needs no debug information itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace autoreload::types {

enum class kind : std::uint8_t {
  unknown,      ///< could not be read; equal to everything
  nothing,      ///< void
  base,         ///< int, double, _Bool …
  pointer,      ///< or a C++ reference
  qualified,    ///< const, volatile, restrict, _Atomic: `name` says which
  alias,        ///< a typedef
  array,        ///< one dimension
  vector,       ///< a vector of the machine's
  function,     ///< members are the parameters
  structure,    ///< members are the fields
  unite,        ///< a union; members are the fields
  enumeration,  ///< members are the constants
};
inline constexpr std::uint8_t last_kind = static_cast<std::uint8_t>(kind::enumeration);

/// What the bits of a base type mean.
enum class encoding : std::uint8_t { other, signed_integer, unsigned_integer, boolean, floating, complex };
inline constexpr std::uint8_t last_encoding = static_cast<std::uint8_t>(encoding::complex);

using type_index = std::uint32_t;

/// A field, a parameter or an enumeration's constant.
struct member {
  std::string name{};
  type_index type = 0;           ///< of a field or parameter
  std::uint64_t bit_offset = 0;  ///< of a field, from the start of its struct
  std::uint64_t bit_size = 0;    ///< of a bit-field; 0 for a whole field
  std::uint64_t alignment = 0;   ///< bytes, when it was asked for explicitly, of the field itself
  std::int64_t value = 0;        ///< of a constant
};

struct type {
  types::kind kind = types::kind::unknown;
  types::encoding encoding = types::encoding::other;
  bool complete = true;         ///< false: only declared; an array: of unknown length
  bool variadic = false;        ///< a function with `...`
  std::string name{};           ///< tag, typedef's name, base type's or qualifier's spelling; may be empty
  std::uint64_t size = 0;       ///< bytes; of an array or vector: the number of elements
  std::uint64_t alignment = 0;  ///< bytes, when it was asked for explicitly
  type_index target = 0;        ///< pointed to, qualified, named, element, returned, underlying
  std::vector<member> members{};
};

/// In what a symbol was written. C and C++ say a type in the same words; other languages have other ones for what the
/// machine sees, and some none at all.
enum class language : std::uint8_t {
  c,             ///< C, C++ and their kin; also what is not known
  other,         ///< Rust, Ada, D, Go …
  by_reference,  ///< Fortran, Pascal …: a parameter's type does not tell whether it is passed by its address
};
inline constexpr std::uint8_t last_language = static_cast<std::uint8_t>(language::by_reference);

struct symbol {
  std::string name;
  bool function = true;
  type_index type = 0;
  language written_in = language::c;
};

/// Where a variable's value is.
enum class storage : std::uint8_t {
  memory,         ///< in its parts
  thread_local_,  ///< one for each thread
  none,           ///< the optimiser left it no memory
  unreadable,     ///< the debug information says it in a way that is not read
};
inline constexpr std::uint8_t last_storage = static_cast<std::uint8_t>(storage::unreadable);

/// A piece of a variable. Most variables are of one piece; an optimiser may take a struct apart, and keep of a number
/// that has only two values no more than which.
struct variable_part {
  std::uint64_t offset = 0;   ///< bytes from the variable's start
  std::uint64_t size = 0;     ///< bytes of the value; 0: all of it
  std::uint64_t address = 0;  ///< as the file has it
  bool two_valued = false;    ///< at `address` is a byte: 0 means `clear`, 1 means `set`
  std::uint64_t clear = 0;
  std::uint64_t set = 0;
};

/// A variable of the library's own: of a file, of a function, or exported.
struct variable {
  std::string unit{};       ///< the source file as its compiler was told it
  std::string function{};   ///< the function whose static it is, or empty
  std::string name{};       ///< as the source says it
  std::uint64_t order = 0;  ///< which of the variables of this name in this function
  bool exported = false;    ///< visible to other units: its name alone tells which it is
  type_index type = 0;
  types::storage storage = types::storage::none;
  std::vector<variable_part> parts{};
};

/// A function of the library's own that has code which a pointer may lead to.
struct code {
  std::string unit{};
  std::string name{};
  bool exported = false;
  std::uint64_t address = 0;  ///< as the file has it
  type_index type = 0;        ///< of an exported one, or when it was asked for, else 0
};

/// Types are numbered from 0; number 0 is void and always there. Every index in it is valid.
struct description {
  std::vector<types::type> types{types::type{.kind = kind::nothing, .name = "void"}};
  std::vector<types::symbol> symbols;
  std::vector<types::variable> variables;  ///< when they were asked for
  std::vector<types::code> functions;      ///< with the variables
  std::vector<std::string> problems;       ///< what kept the reader from seeing more, for a person

  [[nodiscard]] const types::symbol* find(std::string_view name) const;
  [[nodiscard]] const types::type& at(type_index index) const { return types[index]; }
};

[[nodiscard]] std::string encode(const description& from);
/// @return nothing when the bytes are not exactly one valid description; never crashes on any bytes
[[nodiscard]] std::optional<description> decode(std::string_view bytes);

}  // namespace autoreload::types
