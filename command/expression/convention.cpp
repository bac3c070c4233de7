// SPDX-License-Identifier: MIT
// convention: what the machines have in common, and what is done on one that has no file of its own.
#include "convention.hpp"

#include <utility>

namespace autoreload::command {

namespace {

ffi_type* number_type(basic b) {
  switch (b) {
    case basic::nothing: return &ffi_type_void;
    case basic::boolean:
    case basic::unsigned_character: return &ffi_type_uint8;
    case basic::character: return std::is_signed_v<char> ? &ffi_type_sint8 : &ffi_type_uint8;
    case basic::signed_character: return &ffi_type_sint8;
    case basic::short_integer: return &ffi_type_sint16;
    case basic::unsigned_short: return &ffi_type_uint16;
    case basic::integer: return &ffi_type_sint32;
    case basic::unsigned_integer: return &ffi_type_uint32;
    case basic::long_integer:
    case basic::long_long: return &ffi_type_sint64;
    case basic::unsigned_long:
    case basic::unsigned_long_long: return &ffi_type_uint64;
    case basic::float_number: return &ffi_type_float;
    case basic::double_number: return &ffi_type_double;
    case basic::long_double: return &ffi_type_longdouble;
    case basic::complex_float: return &ffi_type_complex_float;
    case basic::complex_double: return &ffi_type_complex_double;
    case basic::complex_long_double: return &ffi_type_complex_longdouble;
    case basic::int128:
    case basic::unsigned_int128: return nullptr;
  }
  return nullptr;
}

}  // namespace

std::string not_known(const type_table& types, type_index type) {
  return "how \"" + types.spell(type) + "\" is passed is not known";
}

ffi_type* scalar(const type_table& types, type_index type) {
  if (types.is_pointer(type)) return &ffi_type_pointer;
  const std::optional<basic> which = types.which(type);
  return which ? number_type(*which) : nullptr;
}

bool is_wide(const type_table& types, type_index type) {
  const std::optional<basic> which = types.which(type);
  return which == basic::int128 || which == basic::unsigned_int128;
}

// With its size given, libffi keeps it and works out nothing.
ffi_type* convention::make_struct(std::vector<ffi_type*> elements, std::size_t size, std::size_t alignment) {
  own_struct& made = kept_.emplace_back();
  made.elements = std::move(elements);
  made.elements.push_back(nullptr);
  made.type.size = size;
  made.type.alignment = static_cast<unsigned short>(alignment);
  made.type.type = FFI_TYPE_STRUCT;
  made.type.elements = made.elements.data();
  return &made.type;
}

#if !defined(__x86_64__) && !defined(__aarch64__)

std::optional<std::string> convention::add_parts(type_index type, std::vector<ffi_type*>& into, int depth) {
  const types::type& t = types_.bare_type(type);
  if (depth > types::deepest || into.size() > 4096) return "it is too large";
  if (t.kind == types::kind::unite) return "it has a union, which libffi does not know";
  if (t.kind == types::kind::structure) {
    for (const types::member& m : t.members) {
      if (m.bit_size != 0) return "it has a bit-field, which libffi does not know";
      if (auto wrong = add_parts(m.type, into, depth + 1)) return wrong;
    }
    return std::nullopt;
  }
  if (t.kind == types::kind::array) {
    for (std::uint64_t i = 0; i < t.size; ++i) {
      if (auto wrong = add_parts(t.target, into, depth + 1)) return wrong;
    }
    return std::nullopt;
  }
  ffi_type* const part = scalar(types_, type);
  if (part == nullptr) return not_known(types_, type);
  into.push_back(part);
  return std::nullopt;
}

passed_result convention::as_it_is(type_index type) {
  std::vector<ffi_type*> elements;
  const std::string name = "\"" + types_.spell(type) + "\"";
  if (const auto wrong = add_parts(type, elements, 0)) return {.wrong = name + " can't be passed: " + *wrong};
  if (elements.empty()) return {.wrong = "an empty struct is not passed at all"};
  ffi_type* const made = make_struct(std::move(elements), 0, 0);
  std::vector<std::size_t> offsets(kept_.back().elements.size());
  const bool laid_out = ffi_get_struct_offsets(FFI_DEFAULT_ABI, made, offsets.data()) == FFI_OK;
  if (!laid_out || made->size != types_.size_of(type) || made->alignment != types_.alignment_of(type)) {
    return {.wrong = name + " is packed or aligned in a way that libffi does not know"};
  }
  return {made};
}

passed_result convention::result(type_index type) {
  if (types_.is_struct(type)) return as_it_is(type);
  ffi_type* const found = types_.is_void(type) ? &ffi_type_void : scalar(types_, type);
  return found != nullptr ? passed_result{found} : passed_result{.wrong = not_known(types_, type)};
}

passed_argument convention::argument(type_index type) {
  const passed_result one = result(type);
  if (one.as == nullptr) return {.wrong = one.wrong};
  return {{{one.as, 0, types_.size_of(type).value_or(0)}}};
}

#endif

}  // namespace autoreload::command
