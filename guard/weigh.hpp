// SPDX-License-Identifier: MIT
// weigh: whether a caller that was compiled for one type can tell that it meets another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "types/description.hpp"
#include "types/shape.hpp"

namespace autoreload::types {

enum class outcome : std::uint8_t {
  same,
  alike,      ///< another type, but a caller can't tell
  different,  ///< whoever asked must say so: it knows the words
};
[[nodiscard]] inline outcome worse(outcome a, outcome b) { return a < b ? b : a; }

/// What is to be said of a type that has a name of its own.
struct sentence {
  bool breaks;
  std::string subject;  ///< `struct point`, `id_t`
  std::string text;
};

/// Two structs, unions or enumerations whose layouts have to be compared.
struct layout_pair {
  type_index was;
  type_index is;
  std::string name;
};

/// What came up while types were weighed.
struct weighed {
  std::vector<sentence> said;
  std::vector<layout_pair> next;
};

/// Compares types of one description with types of another. What has a name is not gone into but handed back, as
/// `next`: so a list that points to itself ends, and a chain of structs of any length costs no stack.
class scales {
 public:
  scales(const description& was, const description& is, bool host, std::span<const std::string> exceptions)
      : was_(was), is_(is), host_(host), exceptions_(exceptions) {}

  /// A function's parameters: their number and types. A pointee that was read-only must stay so.
  [[nodiscard]] outcome parameters(const type& was, const type& is, weighed& into);
  /// A function's result. A pointee that could be written must stay so; a result where none was, nobody reads.
  [[nodiscard]] outcome result(const type& was, const type& is, weighed& into);
  /// A variable's type, which may become longer when it is an array, but not constant.
  [[nodiscard]] outcome variable(type_index was, type_index is, weighed& into);
  /// The fields or constants of a pair: one sentence for what breaks, one for what doesn't, and further pairs.
  [[nodiscard]] weighed layout(const layout_pair& of);

  /// `8 became 12`, or for a host `8 in the host, 12 in the library`.
  [[nodiscard]] std::string change(const std::string& was, const std::string& is) const;
  /// Nonsense was cut off, and what lay behind it was not compared.
  [[nodiscard]] bool gave_up() const { return steps_ > most_steps; }

 private:
  // A caller may hand a parameter's pointee over read-only, and may write to what a result points to.
  enum class position : std::uint8_t { within, parameter, result };
  // Roughly the types looked at; real libraries take some thousands, and the limit about a second.
  static constexpr std::size_t most_steps = 4'000'000;

  struct remarks {
    std::vector<std::string> breaking;
    std::vector<std::string> harmless;
    std::vector<std::string> moved;  // breaking, and most often only because of the others
  };

  outcome weigh(type_index was, type_index is, position at, int depth, std::string_view place, weighed& into);
  outcome weigh_alias(const type& was, const type& is, position at, int depth, weighed& into);
  outcome weigh_pointees(type_index was, type_index is, position at, int depth, weighed& into);
  outcome weigh_function(const type& was, const type& is, int depth, weighed& into);
  outcome weigh_compounds(const bare_type& was, const bare_type& is, std::string_view place, int depth, weighed& into);
  remarks compare_layouts(type_index was, type_index is, const std::string& name, int depth, weighed& into);
  void compare_constants(const type& was, const type& is, remarks& found) const;
  void compare_fields(const std::vector<field>& before, const std::vector<field>& now, bool same_size,
                      const std::string& name, int depth, remarks& found, weighed& into);
  void compare_field(const field& was, const field& is, const std::string& place, int depth, remarks& found,
                     weighed& into);
  [[nodiscard]] bool excepted(std::string_view name) const;
  [[nodiscard]] std::string renamed(const std::string& was, std::string_view is) const;
  [[nodiscard]] std::string removed(const std::string& what) const;

  const description& was_;
  const description& is_;
  bool host_;
  std::span<const std::string> exceptions_;
  std::size_t steps_ = 0;
};

}  // namespace autoreload::types
