// SPDX-License-Identifier: MIT
// convention: how a struct or union is passed and returned on this machine, told to libffi.
#pragma once

#include <ffi.h>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "type_table.hpp"

namespace autoreload::command {

/// How a result comes back.
struct passed_result {
  ffi_type* as = nullptr;
  bool by_address = false;  ///< the caller passes a hidden pointer, which libffi would not do by itself
  std::string wrong{};      ///< why it can't come back; `as` is null then
};

/// How an argument is passed: as up to three arguments of libffi's, each a part of its bytes (none: it is zero).
struct passed_argument {
  struct part {
    ffi_type* as;
    std::size_t begin;  ///< bytes
    std::size_t size;   ///< bytes
  };
  std::vector<part> parts{};
  std::string wrong{};  ///< why it can't be passed
};

/// Of anything but structs and 128-bit integers; null for what libffi does not know.
[[nodiscard]] ffi_type* scalar(const type_table& types, type_index type);
/// Whether it is a 128-bit integer.
[[nodiscard]] bool is_wide(const type_table& types, type_index type);
/// The complaint about a type that none of the rules has.
[[nodiscard]] std::string not_known(const type_table& types, type_index type);

/// Makes libffi's descriptions and keeps them.
///
/// libffi knows no unions, no bit-fields and no packed structs, and lays structs out by itself. On x86-64 and aarch64
/// plain numbers that are passed in the same way stand for any type. On x86-64 the convention looks at eight bytes at a
/// time. What goes into registers is handed to libffi number by number: libffi up to 3.4 copies a struct's second half
/// over the first floating register when the struct's first half is in the last integer one. On aarch64 it asks whether
/// all is floating numbers of one type, how large it is and how it is aligned, which libffi does not heed. Elsewhere a
/// struct is described as it is, and what libffi would lay out in another way is refused.
class convention {
 public:
  explicit convention(const type_table& types) : types_(types) {}

  /// Starts a call: result() first, then argument() for each, in order.
  [[nodiscard]] passed_result result(type_index type);
  [[nodiscard]] passed_argument argument(type_index type);

 private:
  struct own_struct {
    ffi_type type{};
    std::vector<ffi_type*> elements;
  };
  ffi_type* make_struct(std::vector<ffi_type*> elements, std::size_t size, std::size_t alignment);
#if defined(__x86_64__)
  passed_argument in_memory(type_index type, std::uint64_t size, std::uint64_t alignment);
  bool take_registers(unsigned integers, unsigned floats);

  unsigned integers_left_ = 0;
  unsigned floats_left_ = 0;
#elif defined(__aarch64__)
  passed_argument in_general_registers(type_index type);

  unsigned general_used_ = 0;
#else
  std::optional<std::string> add_parts(type_index type, std::vector<ffi_type*>& into, int depth);
  passed_result as_it_is(type_index type);
#endif

  const type_table& types_;
  std::deque<own_struct> kept_;
};

}  // namespace autoreload::command
