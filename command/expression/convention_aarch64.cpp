// SPDX-License-Identifier: MIT
// convention_aarch64: the rules are those of the procedure call standard (AAPCS64), section 6.8.2. libffi counts the
// floating registers; the general ones are counted here, too, for what has to begin in an even one.
#if defined(__aarch64__)
#include <algorithm>

#include "convention.hpp"
#include "homogeneous.hpp"

namespace autoreload::command {

namespace {

constexpr unsigned general_registers = 8;

// Of arguments: what was asked for the struct itself does not count, what was asked for its fields does.
std::uint64_t natural_alignment(const type_table& types, type_index type) {
  if (is_wide(types, type)) return 16;
  std::uint64_t widest = 1;
  for (const types::member& m : types.bare_type(type).members) {
    widest = std::max({widest, m.alignment, types.alignment_of(m.type)});
  }
  return widest;
}

std::vector<ffi_type*> words(std::uint64_t size) {
  return std::vector<ffi_type*>(std::min<std::uint64_t>((size + 7) / 8, 8), &ffi_type_uint64);
}

std::vector<ffi_type*> numbers(const type_table& types, const homogeneous& all) {
  return std::vector<ffi_type*>(all.count, scalar(types, types.of(all.of)));
}

}  // namespace

passed_result convention::result(type_index type) {
  general_used_ = 0;  // the address of a large result has a register of its own
  const std::uint64_t size = types_.size_of(type).value_or(0);
  if (!types_.is_struct(type) && !is_wide(types_, type)) {
    ffi_type* const found = types_.is_void(type) ? &ffi_type_void : scalar(types_, type);
    return found != nullptr ? passed_result{found} : passed_result{.wrong = not_known(types_, type)};
  }
  if (size == 0) return {.wrong = "an empty struct is not passed at all"};
  const homogeneous all = homogeneous_of(types_, type);
  if (all.is == homogeneous::answer::not_known) return {.wrong = not_known(types_, type)};
  if (all.is == homogeneous::answer::yes) return {make_struct(numbers(types_, all), size, 8)};
  if (types_.alignment_of(type) > 32) return {.wrong = "\"" + types_.spell(type) + "\" is aligned too strictly"};
  // Whole registers come back, whatever of them the struct has.
  return {make_struct(words(size), size > 16 ? size : (size + 7) / 8 * 8, 8)};
}

// Whole, or not at all: when they don't suffice, all that follows goes to the stack, too.
passed_argument convention::in_general_registers(type_index type) {
  const std::uint64_t size = types_.size_of(type).value_or(0);
  const auto count = static_cast<unsigned>((size + 7) / 8);
  const std::uint64_t alignment = std::min<std::uint64_t>(natural_alignment(types_, type), 16);
  passed_argument made;
  if (alignment == 16 && general_used_ % 2 != 0) {
    made.parts.push_back({&ffi_type_uint64, 0, 0});
    ++general_used_;
  }
  if (general_used_ + count > general_registers) {
    general_used_ = general_registers;
    made.parts.push_back({make_struct(words(size), size, alignment), 0, size});
    return made;
  }
  general_used_ += count;
  for (std::size_t at = 0; at < size; at += 8) {
    made.parts.push_back({&ffi_type_uint64, at, std::min<std::size_t>(8, size - at)});
  }
  return made;
}

passed_argument convention::argument(type_index type) {
  const std::uint64_t size = types_.size_of(type).value_or(0);
  if (size == 0) return {.wrong = "an empty struct is not passed at all"};
  const auto take_one = [&] { general_used_ = std::min(general_used_ + 1, general_registers); };
  if (is_wide(types_, type)) return in_general_registers(type);
  if (!types_.is_struct(type)) {
    ffi_type* const as = scalar(types_, type);
    if (as == nullptr) return {.wrong = not_known(types_, type)};
    if (types_.is_pointer(type) || types_.is_integer(type)) take_one();
    return {{{as, 0, size}}};
  }
  const homogeneous all = homogeneous_of(types_, type);
  if (all.is == homogeneous::answer::not_known) return {.wrong = not_known(types_, type)};
  if (all.is == homogeneous::answer::yes) {
    const std::uint64_t alignment = std::min<std::uint64_t>(natural_alignment(types_, type), 16);
    return {{{make_struct(numbers(types_, all), size, alignment), 0, size}}};
  }
  if (size <= 16) return in_general_registers(type);
  if (types_.alignment_of(type) > 32) return {.wrong = "\"" + types_.spell(type) + "\" is aligned too strictly"};
  take_one();  // libffi passes its address
  return {{{make_struct(words(size), size, 8), 0, size}}};
}

}  // namespace autoreload::command

#endif
