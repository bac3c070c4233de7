// SPDX-License-Identifier: MIT
// expression_fuzzer: reads and checks any bytes as an expression, with some types to meet. Nothing is called: an
// expression may write to any address.
#include <cstddef>
#include <cstdint>
#include <string>

#include "command/session.hpp"

namespace {

namespace types = autoreload::types;

types::description a_library() {
  types::description made;
  const auto add = [&](types::type t) {
    made.types.push_back(std::move(t));
    return static_cast<types::type_index>(made.types.size() - 1);
  };
  using types::encoding;
  using types::kind;
  const auto integer = add({.kind = kind::base, .encoding = encoding::signed_integer, .name = "int", .size = 4});
  const auto letter = add({.kind = kind::base, .encoding = encoding::signed_integer, .name = "char", .size = 1});
  const auto text = add({.kind = kind::pointer, .name = "*", .size = 8, .target = letter});
  const auto row = add({.kind = kind::array, .size = 3, .target = integer});
  const auto shape = add({.kind = kind::structure,
                          .name = "s",
                          .size = 32,
                          .members = {{.name = "a", .type = integer},
                                      {.name = "b", .type = row, .bit_offset = 32},
                                      {.name = "c", .type = integer, .bit_offset = 128, .bit_size = 3},
                                      {.name = "t", .type = text, .bit_offset = 192}}});
  add({.kind = kind::alias, .name = "t", .target = shape});
  add({.kind = kind::unite, .name = "u", .size = 4, .members = {{.name = "i", .type = integer}}});
  add({.kind = kind::enumeration, .name = "e", .size = 4, .members = {{.name = "E", .value = -1}}});
  // Nonsense that damaged debug information may lead to: a typedef of itself, a struct in itself.
  const auto loop = add({.kind = kind::alias, .name = "loop"});
  made.types[loop].target = loop;
  const auto inside = add({.kind = kind::structure, .name = "inside", .size = 8});
  made.types[inside].members = {{.name = "", .type = inside}, {.name = "x", .type = loop}};
  const auto function = add({.kind = kind::function,
                             .variadic = true,
                             .target = shape,
                             .members = {{.name = "n", .type = integer}, {.name = "s", .type = text}}});
  made.symbols = {{"f", true, function}, {"g", false, shape}, {"h", false, inside}, {"l", false, loop}};
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace autoreload::command;
  type_table types(a_library());
  session one(types);
  const std::string text(reinterpret_cast<const char*>(data), size);
  // Two of them, so that the second one may name results of the first.
  const std::string first = text.substr(0, text.find('\n'));
  for (const std::string& expression : {first, text}) {
    try {
      static_cast<void>(one.check(expression));
    } catch (const complaint& wrong) {
      static_cast<void>(describe(wrong, expression));
    }
  }
  return 0;
}
