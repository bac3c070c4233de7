// SPDX-License-Identifier: MIT
// convention_x86_64: the classes are those of the System V ABI for x86-64, section 3.2.3.
#if defined(__x86_64__)
#include <algorithm>
#include <utility>

#include "classes.hpp"
#include "convention.hpp"

namespace autoreload::command {

namespace {

// A number's classes are those of a struct that has nothing else.
std::optional<struct_classes> classes(const type_table& types, type_index type) {
  if (is_wide(types, type)) return struct_classes{.of = {eightbyte::integer, eightbyte::integer}};
  return classes_of(types, type);
}

}  // namespace

passed_result convention::result(type_index type) {
  integers_left_ = 6;
  floats_left_ = 8;
  const std::uint64_t size = types_.size_of(type).value_or(0);
  if (!types_.is_struct(type) && !is_wide(types_, type)) {
    ffi_type* const found = types_.is_void(type) ? &ffi_type_void : scalar(types_, type);
    return found != nullptr ? passed_result{found} : passed_result{.wrong = not_known(types_, type)};
  }
  if (size == 0) return {.wrong = "an empty struct is not passed at all"};
  const std::optional<struct_classes> found = classes(types_, type);
  if (!found) return {.wrong = not_known(types_, type)};
  if (found->in_memory) {
    if (types_.alignment_of(type) > 32) return {.wrong = "\"" + types_.spell(type) + "\" is aligned too strictly"};
    integers_left_ = 5;  // the hidden pointer is the first argument
    return {.as = &ffi_type_void, .by_address = true};
  }
  if (found->of[0] == eightbyte::x87) return {&ffi_type_longdouble};
  std::vector<ffi_type*> elements;
  for (const eightbyte is : found->of) {
    if (is != eightbyte::none) elements.push_back(is == eightbyte::sse ? &ffi_type_double : &ffi_type_uint64);
  }
  // Whole registers come back, whatever of them the struct has.
  const std::size_t whole = 8 * elements.size();
  return {make_struct(std::move(elements), whole, 8)};
}

bool convention::take_registers(unsigned integers, unsigned floats) {
  if (integers > integers_left_ || floats > floats_left_) return false;
  integers_left_ -= integers;
  floats_left_ -= floats;
  return true;
}

// What is larger than two registers goes to memory in libffi, too, whatever it is made of; so does anything when the
// registers are used up.
passed_argument convention::in_memory(type_index type, std::uint64_t size, std::uint64_t alignment) {
  if (alignment > 16) {
    return {.wrong = "\"" + types_.spell(type) + "\" is aligned more strictly than libffi aligns arguments"};
  }
  std::vector<ffi_type*> elements(std::min<std::uint64_t>((size + 7) / 8, 8), &ffi_type_uint64);
  return {{{make_struct(std::move(elements), size, alignment), 0, size}}};
}

passed_argument convention::argument(type_index type) {
  const std::uint64_t size = types_.size_of(type).value_or(0);
  const std::uint64_t alignment = is_wide(types_, type) ? 16 : types_.alignment_of(type);
  if (size == 0) return {.wrong = "an empty struct is not passed at all"};
  const std::optional<struct_classes> found = classes(types_, type);
  if (!found) return {.wrong = not_known(types_, type)};
  const auto count = [&](eightbyte is) { return static_cast<unsigned>(std::ranges::count(found->of, is)); };
  const bool fits = !found->in_memory && count(eightbyte::x87) == 0 &&
                    take_registers(count(eightbyte::integer), count(eightbyte::sse));
  if (!types_.is_struct(type) && !is_wide(types_, type)) {
    ffi_type* const as = scalar(types_, type);
    if (as == nullptr) return {.wrong = not_known(types_, type)};
    return {{{as, 0, size}}};
  }
  if (!fits) {
    if (size > 16 || (!found->in_memory && count(eightbyte::x87) == 0)) return in_memory(type, size, alignment);
    // Of what would fit into registers, libffi puts only what holds a long double into memory.
    if (size == 16) return {{{make_struct({&ffi_type_longdouble}, size, alignment), 0, size}}};
    return {.wrong = "how the packed \"" + types_.spell(type) + "\" is passed can't be told to libffi"};
  }
  passed_argument made;
  for (std::size_t i = 0; i < found->of.size(); ++i) {
    if (found->of[i] == eightbyte::none) continue;
    ffi_type* const as = found->of[i] == eightbyte::sse ? &ffi_type_double : &ffi_type_uint64;
    made.parts.push_back({as, 8 * i, std::min<std::size_t>(8, size - 8 * i)});
  }
  return made;
}

}  // namespace autoreload::command

#endif
