// SPDX-License-Identifier: MIT
// classes: the convention's merging of all fields that lie in the same eight bytes.
#include "classes.hpp"

namespace autoreload::command {

namespace {

class classifier {
 public:
  explicit classifier(const type_table& types) : types_(types) {}

  // Whether all of it is known.
  bool add(type_index type, std::uint64_t offset, int depth = 0) {
    if (depth > types::deepest || ++steps_ > 10'000) return false;
    const types::type& t = types_.bare_type(type);
    switch (t.kind) {
      case types::kind::pointer:
      case types::kind::enumeration:
      case types::kind::base: return add_number(type, offset);
      case types::kind::array: {
        const std::uint64_t step = types_.size_of(t.target).value_or(0);
        for (std::uint64_t i = 0; t.complete && step != 0 && i < t.size; ++i) {
          if (!add(t.target, offset + i * step, depth + 1)) return false;
        }
        return true;
      }
      case types::kind::structure:
      case types::kind::unite:
        for (const types::member& m : t.members) {
          if (m.bit_size != 0) {
            add_bits(offset * 8 + m.bit_offset, m.bit_size);
          } else if (!add(m.type, offset + m.bit_offset / 8, depth + 1)) {
            return false;
          }
        }
        return true;
      default: return false;
    }
  }

  struct_classes take() {
    if (found_.of[1] == eightbyte::x87_up && found_.of[0] != eightbyte::x87) found_.in_memory = true;
    return found_;
  }

 private:
  bool add_number(type_index type, std::uint64_t offset) {
    if (types_.is_pointer(type)) return merge(offset, 8, 8, eightbyte::integer);
    const std::optional<basic> which = types_.which(type);
    if (!which) return false;
    const std::uint64_t size = types_.size_of(type).value_or(0);
    switch (*which) {
      case basic::float_number:
      case basic::double_number: return merge(offset, size, size, eightbyte::sse);
      case basic::complex_float:
      case basic::complex_double: return merge(offset, size, size / 2, eightbyte::sse);
      case basic::long_double:
        return merge(offset, 8, 16, eightbyte::x87) && merge(offset + 8, 8, 8, eightbyte::x87_up);
      case basic::complex_long_double: found_.in_memory = true; return true;
      default: return merge(offset, size, size, eightbyte::integer);
    }
  }

  void add_bits(std::uint64_t bit, std::uint64_t size) {
    for (const std::uint64_t at : {bit / 64, (bit + size - 1) / 64}) {
      if (at < 2) merge_class(at, eightbyte::integer);
    }
  }

  bool merge(std::uint64_t offset, std::uint64_t size, std::uint64_t alignment, eightbyte is) {
    if (offset % alignment != 0) found_.in_memory = true;  // packed
    for (std::uint64_t at = offset / 8; size != 0 && at <= (offset + size - 1) / 8; ++at) {
      if (at < 2) merge_class(at, is);
    }
    return true;
  }

  void merge_class(std::uint64_t at, eightbyte is) {
    eightbyte& now = found_.of[at];
    if (now == is || now == eightbyte::none) {
      now = is;
    } else if (now == eightbyte::integer || is == eightbyte::integer) {
      now = eightbyte::integer;
    } else if (now != eightbyte::sse || is != eightbyte::sse) {
      found_.in_memory = true;  // a long double and a float share their place
    }
  }

  const type_table& types_;
  struct_classes found_;
  int steps_ = 0;
};

}  // namespace

std::optional<struct_classes> classes_of(const type_table& types, type_index structure) {
  const std::optional<std::uint64_t> size = types.size_of(structure);
  if (!size) return std::nullopt;
  if (*size > 16) return struct_classes{.in_memory = true};
  classifier all(types);
  if (!all.add(structure, 0)) return std::nullopt;
  return all.take();
}

}  // namespace autoreload::command
