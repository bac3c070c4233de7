// SPDX-License-Identifier: MIT
// convention: the classes are those of the System V ABI for x86-64, section 3.2.3.
#include "convention.hpp"

#include <array>
#include <utility>

#include "classes.hpp"

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

passed_type convention::scalar(type_index type) {
  if (types_.is_pointer(type)) return {&ffi_type_pointer};
  const std::optional<basic> which = types_.which(type);
  if (which == basic::int128 || which == basic::unsigned_int128) {
#if defined(__x86_64__)
    return {make_struct({&ffi_type_uint64, &ffi_type_uint64}, 16, 16)};
#else
    return {.wrong = "how a 128-bit integer is passed is known on x86-64 only"};
#endif
  }
  if (ffi_type* const found = which ? number_type(*which) : nullptr) return {found};
  return {.wrong = "how a \"" + types_.spell(type) + "\" is passed is not known"};
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

#if defined(__x86_64__)

passed_type convention::eightbytes(type_index type, bool result) {
  const std::uint64_t size = types_.size_of(type).value_or(0);
  if (size == 0) return {.wrong = "an empty struct is not passed at all"};
  const std::uint64_t alignment = types_.alignment_of(type);
  const std::optional<struct_classes> found = classes_of(types_, type);
  if (!found) return {.wrong = "how \"" + types_.spell(type) + "\" is passed is not known"};
  if (found->in_memory && size <= 16) {
    if (result) return {.as = &ffi_type_void, .returned_by_address = true};
    // Only what holds a long double goes to memory in libffi, too.
    if (size == 16) return {make_struct({&ffi_type_longdouble}, size, alignment)};
    return {.wrong = "how the packed \"" + types_.spell(type) + "\" is passed can't be told to libffi"};
  }
  if (!found->in_memory && found->of[0] == eightbyte::x87) {
    return {result ? &ffi_type_longdouble : make_struct({&ffi_type_longdouble}, size, alignment)};
  }
  std::vector<ffi_type*> elements;
  for (std::uint64_t begin = 0; begin < size; begin += 8) {
    std::uint64_t left = std::min<std::uint64_t>(8, size - begin);
    const eightbyte is = found->in_memory ? eightbyte::integer : found->of[begin / 8];
    if (is == eightbyte::none) continue;
    if (is == eightbyte::sse) {
      elements.push_back(left == 4 ? &ffi_type_float : &ffi_type_double);
      continue;
    }
    for (const auto& [bytes, part] : {std::pair{8U, &ffi_type_uint64}, std::pair{4U, &ffi_type_uint32},
                                      std::pair{2U, &ffi_type_uint16}, std::pair{1U, &ffi_type_uint8}}) {
      if (left < bytes) continue;
      elements.push_back(part);
      left -= bytes;
    }
    if (found->in_memory && elements.size() >= 8) break;  // larger than any register takes: libffi asks no further
  }
  return {make_struct(std::move(elements), size, alignment)};
}

passed_type convention::argument(type_index type) {
  return types_.is_struct(type) ? eightbytes(type, false) : scalar(type);
}
passed_type convention::result(type_index type) {
  return types_.is_struct(type) ? eightbytes(type, true) : scalar(type);
}

#else

std::optional<std::string> convention::add_parts(type_index type, std::vector<ffi_type*>& into, int depth) {
  const abi::type& t = types_.bare_type(type);
  if (depth > abi::deepest || into.size() > 4096) return "it is too large";
  if (t.kind == abi::kind::unite) return "it has a union, which libffi does not know";
  if (t.kind == abi::kind::structure) {
    for (const abi::member& m : t.members) {
      if (m.bit_size != 0) return "it has a bit-field, which libffi does not know";
      if (auto wrong = add_parts(m.type, into, depth + 1)) return wrong;
    }
    return std::nullopt;
  }
  if (t.kind == abi::kind::array) {
    for (std::uint64_t i = 0; i < t.size; ++i) {
      if (auto wrong = add_parts(t.target, into, depth + 1)) return wrong;
    }
    return std::nullopt;
  }
  const passed_type part = scalar(type);
  if (part.as == nullptr) return part.wrong;
  into.push_back(part.as);
  return std::nullopt;
}

passed_type convention::as_it_is(type_index type) {
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

passed_type convention::argument(type_index type) { return types_.is_struct(type) ? as_it_is(type) : scalar(type); }
passed_type convention::result(type_index type) { return argument(type); }

#endif

}  // namespace autoreload::command
