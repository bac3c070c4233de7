// SPDX-License-Identifier: MIT
// requirements: what operators ask of their parts, and what is said when it isn't so.
#pragma once

#include <string>

#include "syntax.hpp"
#include "type_table.hpp"
#include "typing.hpp"

namespace autoreload::command {

[[nodiscard]] inline std::string quoted(const std::string& text) { return "\"" + text + "\""; }

class requirements {
 public:
  explicit requirements(type_table& types) : types_(types) {}

  type_index value(const node& n) { return value_type(n, types_); }
  std::string spelled(const node& n) { return quoted(types_.spell(value(n))); }

  void require(bool good, const node& n, const std::string& text) {
    if (!good) complain(n.where, text);
  }
  void require_modifiable(const node& n) {
    require(n.object, n, "only an object can be changed, and this is a value");
    require(!types_.is_constant(n.type), n, "it is const");
    require(types_.kind_of(n.type) != types::kind::array, n, "an array can't be changed as a whole");
  }
  void require_number(const node& n, const char* what) {
    require(types_.is_arithmetic(value(n)) && types_.which(value(n)).has_value(), n,
            std::string(what) + " needs a number, and this is a " + spelled(n));
  }
  void require_integer(const node& n, const char* what) {
    require(types_.is_integer(value(n)), n, std::string(what) + " needs an integer, and this is a " + spelled(n));
  }
  void require_scalar(const node& n, const char* what) {
    require(types_.is_scalar(value(n)), n,
            std::string(what) + " needs a number or pointer, and this is a " + spelled(n));
  }
  // An object that pointer arithmetic steps over.
  void require_sized_target(const node& n) {
    require(types_.size_of(types_.target(value(n))).has_value(), n,
            "the size of what a " + spelled(n) + " points to is not known");
  }

 protected:
  type_table& types_;
};

}  // namespace autoreload::command
