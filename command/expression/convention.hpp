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

/// libffi's description of a type.
struct passed_type {
  ffi_type* as = nullptr;
  bool returned_by_address = false;  ///< the caller passes a hidden pointer, which libffi would not do by itself
  std::string wrong{};               ///< why it can't be passed; `as` is null then
};

/// Makes libffi's descriptions and keeps them.
///
/// libffi knows no unions, no bit-fields and no packed structs, and lays structs out by itself. On x86-64 the
/// convention looks at eight bytes at a time, so that a struct of plain numbers with the same classes stands for any
/// type. Elsewhere a struct is described as it is, and what libffi would lay out in another way is refused.
class convention {
 public:
  explicit convention(const type_table& types) : types_(types) {}

  [[nodiscard]] passed_type argument(type_index type);
  [[nodiscard]] passed_type result(type_index type);

 private:
  struct own_struct {
    ffi_type type{};
    std::vector<ffi_type*> elements;
  };
  passed_type scalar(type_index type);
  ffi_type* make_struct(std::vector<ffi_type*> elements, std::size_t size, std::size_t alignment);
#if defined(__x86_64__)
  passed_type eightbytes(type_index type, bool result);
#else
  std::optional<std::string> add_parts(type_index type, std::vector<ffi_type*>& into, int depth);
  passed_type as_it_is(type_index type);
#endif

  const type_table& types_;
  std::deque<own_struct> kept_;
};

}  // namespace autoreload::command
