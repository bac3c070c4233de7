// SPDX-License-Identifier: MIT
// request: what the helper process is asked; the answer is a description.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "types/wire.hpp"

namespace autoreload::types {

/// The descriptors that the helper starts with. The request comes on standard input, the answer goes to standard
/// output.
inline constexpr int helper_file = 3;        ///< the ELF file that is described
inline constexpr int helper_debug_file = 4;  ///< its separate debug information, if `separate` says so

/// One symbol to describe: an exported one; a static one, whose address is known from the symbol table; or the template
/// argument T of the function at an address, which is how the host's own idea of a symbol is found.
struct wanted_symbol {
  std::string name;
  bool function = true;
  std::uint64_t address = 0;  ///< as the file has it; 0: look `name` up among the exported symbols
  bool local = false;         ///< a static function or variable, at `address`
};

struct request {
  std::string path;       ///< as the user knows the file: the directory where split debug information may lie
  bool separate = false;  ///< helper_debug_file is there
  bool search = false;    ///< look for the definition of every struct that is only declared
  std::vector<std::string> search_for;  ///< the same for these only, such as `struct point`
  std::uint64_t seconds = 0;            ///< of processor time at most
  std::uint64_t search_ms = 0;          ///< milliseconds for searches, after which what was found so far must do
  std::vector<wanted_symbol> symbols;
  /// Types by their tag or typedef's name, and enumerations by a constant's name, which the symbols need not lead to.
  std::vector<std::string> types;
  bool all_types = false;     ///< every type that has a name
  bool api_fields = false;    ///< the fields of a host's API structs, as symbols
  bool variables = false;     ///< every variable of the library's own, and every function that a pointer may lead to
  bool static_types = false;  ///< with these also the types of the functions that are not exported
};

/// A request that leaves a helper so much time: for its processor, and half of it for searches.
[[nodiscard]] inline request within(std::chrono::milliseconds limit) {
  request ask;
  ask.seconds = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(limit).count());
  ask.search_ms = static_cast<std::uint64_t>(limit.count() / 2);
  return ask;
}

[[nodiscard]] inline std::string encode(const request& from) {
  wire_writer out;
  out.text(from.path);
  out.number(from.separate ? 1 : 0);
  out.number(from.search ? 1 : 0);
  out.number(from.search_for.size());
  for (const std::string& name : from.search_for) out.text(name);
  out.number(from.seconds);
  out.number(from.search_ms);
  out.number(from.symbols.size());
  for (const wanted_symbol& s : from.symbols) {
    out.text(s.name);
    out.number(s.function ? 1 : 0);
    out.number(s.address);
    out.number(s.local ? 1 : 0);
  }
  out.number(from.types.size());
  for (const std::string& name : from.types) out.text(name);
  out.number(from.all_types ? 1 : 0);
  out.number(from.api_fields ? 1 : 0);
  out.number(from.variables ? 1 : 0);
  out.number(from.static_types ? 1 : 0);
  return out.take();
}

/// @return an empty request when the bytes are not one: the helper has one caller, and it encodes well
[[nodiscard]] inline request decode_request(std::string_view bytes) {
  wire_reader in(bytes);
  request into;
  into.path = in.text();
  into.separate = in.number() != 0;
  into.search = in.number() != 0;
  for (std::uint64_t n = in.count(); n != 0 && in.good(); --n) into.search_for.emplace_back(in.text());
  into.seconds = in.number();
  into.search_ms = in.number();
  for (std::uint64_t n = in.count(); n != 0 && in.good(); --n) {
    wanted_symbol& s = into.symbols.emplace_back();
    s.name = in.text();
    s.function = in.number() != 0;
    s.address = in.number();
    s.local = in.number() != 0;
  }
  for (std::uint64_t n = in.count(); n != 0 && in.good(); --n) into.types.emplace_back(in.text());
  into.all_types = in.number() != 0;
  into.api_fields = in.number() != 0;
  into.variables = in.number() != 0;
  into.static_types = in.number() != 0;
  return in.good() ? into : request{};
}

}  // namespace autoreload::types
