// SPDX-License-Identifier: MIT
// reach: goes from a library's variables to the heap objects that they lead to, by the types of what points there.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "state/lengths.hpp"
#include "state/process_memory.hpp"
#include "state/program.hpp"
#include "state/remarks.hpp"
#include "state/side.hpp"
#include "state/translate.hpp"
#include "state/untyped.hpp"

namespace autoreload::state {

/// A word of the heap that leads into the old build, and what it becomes.
struct patch {
  std::uint64_t address;
  std::uint64_t was;
  std::uint64_t is;
};

/// A type of heap objects in both builds, and how one becomes the other.
struct shape {
  typed was;
  typed is;
  std::uint64_t size;
  bool changed;  ///< its layout: an object of it can't stay where it is
  program how;   ///< of an unchanged one only the pointers
  std::vector<counted> lengths;
};

/// An object of a changed type. There may be more behind it, when it is an array.
struct object {
  std::uint64_t address;
  const shape* form;
  std::string path;  ///< the variable by which it was found first
};

class reach {
 public:
  reach(const side& was, const side& is, translator& places, remarks& said)
      : was_(was), is_(is), places_(places), said_(said) {}

  /// Something points there: an old variable, or another object.
  /// @param count  of what is there in a row; nothing: it is not known
  void found(std::uint64_t pointer, type_index was, type_index is, const std::string& path,
             std::optional<std::uint64_t> count = {});
  /// Follows everything that was found, each object once.
  void walk();

  /// Calls `visit` for every pointer in objects that stay where they are.
  void each_kept(const std::function<void(std::uint64_t at, std::uint64_t value, const step& s)>& visit);

  [[nodiscard]] const std::vector<patch>& patches() const { return patches_; }
  /// In order of their addresses.
  [[nodiscard]] const std::map<std::pair<std::uint64_t, const shape*>, object>& changed() const { return changed_; }
  /// Objects of a changed type to which only a row of unknown length leads. They may be what was there before.
  [[nodiscard]] const std::vector<object>& unsure() const { return unsure_; }
  /// Pointers that say nothing of what they lead to.
  [[nodiscard]] const std::vector<untyped_pointer>& untyped() const { return untyped_; }
  /// Whether an object at the address was followed by its type.
  [[nodiscard]] bool has_followed(std::uint64_t address) const { return followed_.contains(address); }
  [[nodiscard]] process_memory& memory() { return memory_; }
  /// Something could not be followed, or leads into the old build and has nothing like it in the new one.
  [[nodiscard]] bool needs_old() const { return needs_old_; }
  [[nodiscard]] std::size_t objects() const { return seen_.size(); }

 private:
  struct place {
    std::uint64_t address;
    const shape* form;
    bool operator==(const place&) const = default;
  };
  struct place_hash {
    std::size_t operator()(const place& p) const {
      return static_cast<std::size_t>((p.address >> 3) * 0x9e3779b97f4a7c15ULL) ^
             reinterpret_cast<std::uintptr_t>(p.form);
    }
  };

  const shape* form_of(type_index was, type_index is);
  void follow_all();
  void look_behind(const place& first);
  void look_at(const place& p);
  void follow(std::uint64_t at, const step& s, std::uint64_t value, std::optional<std::uint64_t> count);

  const side& was_;
  const side& is_;
  translator& places_;
  remarks& said_;
  process_memory memory_;
  std::map<std::pair<type_index, type_index>, std::unique_ptr<shape>> forms_;
  std::unordered_set<place, place_hash> seen_;
  std::deque<place> waiting_;
  std::deque<place> rows_;  // unchanged objects that there may be more of behind
  bool guessing_ = false;   // what is found from now on, is found by what may be a row
  std::vector<object> unsure_;
  std::vector<untyped_pointer> untyped_;
  std::unordered_set<std::uint64_t> followed_;
  std::vector<patch> patches_;
  std::map<std::pair<std::uint64_t, const shape*>, object> changed_;
  std::vector<std::byte> buffer_;
  std::vector<std::byte> object_;
  bool needs_old_ = false;
};

}  // namespace autoreload::state
