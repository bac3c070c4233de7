// SPDX-License-Identifier: MIT
// homogeneous: counts numbers through structs, unions and arrays; where there is room between them it is none.
#include "homogeneous.hpp"

#include <algorithm>
#include <optional>

namespace autoreload::command {

namespace {

using answer = homogeneous::answer;

class counter {
 public:
  explicit counter(const type_table& types) : types_(types) {}

  homogeneous count(type_index type, int depth = 0) {
    if (depth > types::deepest || ++steps_ > 10'000) return {answer::not_known};
    const types::type& t = types_.bare_type(type);
    switch (t.kind) {
      case types::kind::pointer:
      case types::kind::enumeration: return {answer::no};
      case types::kind::base: return count_number(type);
      case types::kind::array: {
        if (!t.complete) return {answer::no};  // at the end of a struct
        homogeneous found = count(t.target, depth + 1);
        if (t.size == 0) return {answer::not_known};  // compilers differ
        found.count = std::min<std::uint64_t>(found.count * std::min<std::uint64_t>(t.size, 5), 5);
        return found;
      }
      case types::kind::structure:
      case types::kind::unite: return whole(t, count_fields(t, depth));
      default: return {answer::not_known};
    }
  }

 private:
  homogeneous count_number(type_index type) {
    switch (types_.which(type).value_or(basic::nothing)) {
      case basic::nothing: return {answer::not_known};
      case basic::float_number: return {answer::yes, basic::float_number, 1};
      case basic::double_number: return {answer::yes, basic::double_number, 1};
      case basic::long_double: return {answer::yes, basic::long_double, 1};
      case basic::complex_float: return {answer::yes, basic::float_number, 2};
      case basic::complex_double: return {answer::yes, basic::double_number, 2};
      case basic::complex_long_double: return {answer::yes, basic::long_double, 2};
      default: return {answer::no};
    }
  }

  homogeneous count_fields(const types::type& t, int depth) {
    homogeneous sum{answer::yes};
    for (const types::member& m : t.members) {
      homogeneous one = count(m.type, depth + 1);
      if (one.is == answer::not_known) return one;
      if (m.bit_size != 0 || one.is == answer::no || (sum.of != basic::nothing && sum.of != one.of)) {
        sum.is = answer::no;  // yet the rest may hold something that is not known
      }
      sum.of = one.of;
      const std::uint64_t together =
          t.kind == types::kind::unite ? std::max(sum.count, one.count) : sum.count + one.count;
      sum.count = std::min<std::uint64_t>(together, 5);
    }
    if (t.members.empty()) sum.is = answer::not_known;
    return sum;
  }

  homogeneous whole(const types::type& t, homogeneous found) {
    if (found.is != answer::yes) return found;
    const std::uint64_t one = types_.size_of(types_.of(found.of)).value_or(0);
    if (found.count > 4 || t.size != found.count * one) found.is = answer::no;
    return found;
  }

  const type_table& types_;
  int steps_ = 0;
};

}  // namespace

homogeneous homogeneous_of(const type_table& types, type_index type) { return counter(types).count(type); }

}  // namespace autoreload::command
