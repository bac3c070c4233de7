// SPDX-License-Identifier: MIT
// evaluate: walks a checked tree, with the library in this process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "convention.hpp"
#include "memory.hpp"
#include "number.hpp"
#include "syntax.hpp"
#include "type_table.hpp"

namespace autoreload::command {

struct value {
  type_index type = 0;
  std::vector<std::byte> bytes{};
};

/// Where an object is.
struct location {
  std::uint64_t address = 0;
  std::uint64_t bit_offset = 0;  ///< of a bit-field, from the address
  std::uint64_t bit_size = 0;    ///< of a bit-field, else 0
};

/// What surrounds a call into the library: evaluation itself knows no processes and signals.
struct surroundings {
  std::function<void*(const std::string&)> address_of;  ///< of a function or variable; null: there is none
  std::function<void(const std::string& function, place where)> before_call = [](const std::string&, place) {};
  std::function<void()> after_call = [] {};
};

/// Evaluates one expression after the other. Thread-safety: one thread at a time.
class evaluator {
 public:
  evaluator(type_table& types, surroundings around) : types_(types), around_(std::move(around)), convention_(types) {}

  /// @param checked  what check() said is right; `shown` is what it said will be shown
  /// @throws complaint  for what only shows when it runs: a pointer that leads nowhere, a division by 0
  /// @return the values of `shown`; they are the next earlier results
  std::vector<value> run(const node& checked, std::size_t shown);

 private:
  value evaluate(const node& n);                    // as a value: decayed, without qualifiers
  value evaluate_as(const node& n, type_index to);  // and converted
  location locate(const node& n);
  value load_object(const node& n, const location& from, type_index type);
  void store_object(const node& n, const location& to, const value& from);
  std::vector<std::byte> read(const node& n, std::uint64_t address, std::size_t size);
  value converted(const value& from, type_index to);
  number number_of(const value& from);
  value make(type_index type, const number& of);
  value pointer(type_index type, std::uint64_t to);
  std::uint64_t address_in(const value& from);
  bool truth(const node& n);
  std::uint64_t keep(const value& object);  // in the arena
  std::uint64_t symbol(const node& n);

  value unary(const node& n);
  value step(const node& n);
  value binary(const node& n);
  value combine(const node& n, const value& left, std::string_view sign, const value& right, type_index type);
  value call(const node& n);
  void fill(std::vector<std::byte>& object, const node& list);
  void put(std::vector<std::byte>& object, const slot& at, const value& from);

  type_table& types_;
  surroundings around_;
  convention convention_;
  arena objects_;
  std::vector<value> earlier_;
  std::vector<std::pair<type_index, std::uint64_t>> fresh_;
};

}  // namespace autoreload::command
