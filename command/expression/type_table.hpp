// SPDX-License-Identifier: MIT
// type_table: the types of a library, C's basic types, and those that an expression makes of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "syntax.hpp"
#include "types/description.hpp"
#include "types/shape.hpp"

namespace autoreload::command {

using types::type_index;

/// C's basic types, in their usual spelling and by the rank of the integer ones.
enum class basic : std::uint8_t {
  nothing,
  boolean,
  character,
  signed_character,
  unsigned_character,
  short_integer,
  unsigned_short,
  integer,
  unsigned_integer,
  long_integer,
  unsigned_long,
  long_long,
  unsigned_long_long,
  int128,
  unsigned_int128,
  float_number,
  double_number,
  long_double,
  complex_float,
  complex_double,
  complex_long_double,
};

/// A field, or the way to one through unnamed structs.
struct found_field {
  type_index type = 0;
  std::uint64_t bit_offset = 0;
  std::uint64_t bit_size = 0;  ///< of a bit-field, else 0
};

/// Grows while expressions are checked; indices stay valid. A description may be nonsense that contains itself: every
/// walk has a bound. Thread-safety: one thread at a time.
class type_table {
 public:
  explicit type_table(types::description library);

  [[nodiscard]] const types::description& all() const { return all_; }
  [[nodiscard]] const types::type& at(type_index index) const { return all_.at(index); }
  /// Without typedefs and qualifiers; a struct that is only declared leads to its definition, if there is one.
  [[nodiscard]] type_index bare(type_index index) const;
  [[nodiscard]] const types::type& bare_type(type_index index) const { return at(bare(index)); }
  [[nodiscard]] types::kind kind_of(type_index index) const { return bare_type(index).kind; }

  [[nodiscard]] type_index of(basic which) const { return basics_[static_cast<std::size_t>(which)]; }
  /// Which basic type it is (an enumeration: its integer), or nothing.
  [[nodiscard]] std::optional<basic> which(type_index index) const;
  [[nodiscard]] type_index pointer_to(type_index target);
  [[nodiscard]] type_index array_of(type_index element, std::optional<std::uint64_t> length);
  [[nodiscard]] type_index constant(type_index target);
  /// The type that an expression names.
  /// @throws complaint
  [[nodiscard]] type_index resolve(const declared_type& named);

  [[nodiscard]] bool has_typedef(std::string_view name) const { return typedefs_.contains(name); }
  /// An enumeration's constant: its value and its type.
  [[nodiscard]] std::optional<std::pair<std::int64_t, type_index>> enumerator(std::string_view name) const;
  [[nodiscard]] const types::symbol* symbol(std::string_view name) const { return all_.find(name); }

  /// Names that an expression can have beside those of symbols, sorted. The tags are those of one kind.
  [[nodiscard]] std::vector<std::string> typedef_names() const;
  [[nodiscard]] std::vector<std::string> tag_names(types::kind of) const;
  [[nodiscard]] std::vector<std::string> enumerator_names() const;

  /// Bytes, or nothing when the type is not complete.
  [[nodiscard]] std::optional<std::uint64_t> size_of(type_index index) const;
  [[nodiscard]] std::uint64_t alignment_of(type_index index) const { return types::alignment_of(all_, bare(index)); }
  [[nodiscard]] std::optional<found_field> field(type_index structure, std::string_view name) const;
  [[nodiscard]] std::string spell(type_index index, std::string_view name = {}) const;
  /// `int area(struct shape s, const char *name)`: with the parameters' names.
  [[nodiscard]] std::string prototype(type_index function, std::string_view name) const;

  [[nodiscard]] bool is_integer(type_index index) const;     ///< also _Bool and enumerations
  [[nodiscard]] bool is_arithmetic(type_index index) const;  ///< also floating and complex
  [[nodiscard]] bool is_pointer(type_index index) const { return kind_of(index) == types::kind::pointer; }
  [[nodiscard]] bool is_scalar(type_index index) const { return is_arithmetic(index) || is_pointer(index); }
  [[nodiscard]] bool is_constant(type_index index) const { return types::strip(all_, index).constant; }
  [[nodiscard]] bool is_void(type_index index) const { return kind_of(index) == types::kind::nothing; }
  [[nodiscard]] bool is_struct(type_index index) const;  ///< or a union
  /// What an array or pointer leads to.
  [[nodiscard]] type_index target(type_index index) const { return bare_type(index).target; }
  /// Whether an object of one is an object of the other.
  [[nodiscard]] bool same(type_index a, type_index b) const { return same(a, b, 0); }

 private:
  type_index add(types::type made);
  void take_names(type_index index);
  [[nodiscard]] bool same(type_index a, type_index b, int depth) const;

  types::description all_;
  std::vector<type_index> basics_;
  std::map<std::string, type_index, std::less<>> typedefs_;
  std::map<std::pair<types::kind, std::string>, type_index> tags_;
  std::map<std::string, std::pair<std::int64_t, type_index>, std::less<>> enumerators_;
  std::map<type_index, type_index> pointers_;
  std::map<type_index, type_index> constants_;
  std::map<std::pair<type_index, std::uint64_t>, type_index> arrays_;
};

}  // namespace autoreload::command
