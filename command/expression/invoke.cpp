// SPDX-License-Identifier: MIT
// invoke: a call by libffi.
#include <ffi.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "conversion.hpp"
#include "evaluate.hpp"
#include "typing.hpp"

namespace autoreload::command {

namespace {

// Aligned as the strictest type that is passed.
struct alignas(32) slot_bytes {
  std::byte bytes[32];
};

class argument_memory {
 public:
  void* keep(std::span<const std::byte> bytes) {
    blocks_.emplace_back((std::max<std::size_t>(bytes.size(), 1) + sizeof(slot_bytes) - 1) / sizeof(slot_bytes));
    if (!bytes.empty()) std::memcpy(blocks_.back().data(), bytes.data(), bytes.size());
    return blocks_.back().data();
  }

 private:
  std::vector<std::vector<slot_bytes>> blocks_;
};

}  // namespace

value evaluator::call(const node& n) {
  const node& callee = *n.parts[0];
  const value target = evaluate(callee);
  const types::type function = types_.bare_type(types_.target(target.type));
  const std::string name = callee.kind == node_kind::name ? callee.text : "the function";
  if (address_in(target) == 0) complain(callee.where, "this function is NULL");

  // All of them before the call is put together: an argument may be a call itself.
  std::vector<value> arguments;
  for (std::size_t i = 1; i < n.parts.size(); ++i) {
    const node& part = *n.parts[i];
    arguments.push_back(evaluate_as(part, i <= function.members.size()
                                              ? function.members[i - 1].type
                                              : promoted_argument(value_type(part, types_), types_)));
  }

  const passed_result returned = convention_.result(function.target);
  if (returned.as == nullptr) complain(n.where, returned.wrong);
  argument_memory memory;
  std::vector<ffi_type*> types;
  std::vector<void*> values;
  const std::size_t size = types_.size_of(function.target).value_or(0);
  void* const result = memory.keep(std::vector<std::byte>(std::max<std::size_t>(size, 64)));
  void* hidden = result;
  if (returned.by_address) {
    types.push_back(&ffi_type_pointer);
    values.push_back(&hidden);
  }
  std::size_t fixed = types.size();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const passed_argument passed = convention_.argument(arguments[i].type);
    if (!passed.wrong.empty()) complain(n.parts[i + 1]->where, passed.wrong);
    for (const passed_argument::part& p : passed.parts) {
      types.push_back(p.as);
      values.push_back(memory.keep(std::span(arguments[i].bytes).subspan(p.begin, p.size)));
    }
    if (i < function.members.size()) fixed = types.size();
  }

  ffi_cif cif;
  const auto count = static_cast<unsigned>(types.size());
  const ffi_status ready = function.variadic ? ffi_prep_cif_var(&cif, FFI_DEFAULT_ABI, static_cast<unsigned>(fixed),
                                                                count, returned.as, types.data())
                                             : ffi_prep_cif(&cif, FFI_DEFAULT_ABI, count, returned.as, types.data());
  if (ready != FFI_OK) complain(n.where, "libffi can't make this call");
  around_.before_call(name, n.where);
  ffi_call(&cif, reinterpret_cast<void (*)()>(address_in(target)), result, values.data());
  around_.after_call();

  value made{function.target, std::vector<std::byte>(size)};
  std::memcpy(made.bytes.data(), result, size);  // little-endian: a widened integer starts with its own bytes
  return made;
}

}  // namespace autoreload::command
