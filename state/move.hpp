// SPDX-License-Identifier: MIT
// move: heap objects whose struct has another layout: made anew beside the old ones, or in their place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/error.hpp>

#include "state/carrier_run.hpp"
#include "state/reach.hpp"
#include "state/visible.hpp"

namespace autoreload::state {

class mover {
 public:
  mover(const side& was, const side& is, std::string path) : was_(was), is_(is), path_(std::move(path)) {}
  mover(const mover&) = delete;
  mover& operator=(const mover&) = delete;
  ~mover();

  /// Finds a place for every object of a changed layout. Nothing of the old build's is written.
  /// @return why one can't be carried
  [[nodiscard]] std::optional<error> place(reach& from);
  /// Fills the new objects. @param pointers  what a pointer of the old build becomes
  void fill(reach& from, const resolve& pointers, remarks& said);
  /// Where what a pointer led to is now; nothing when it did not move.
  [[nodiscard]] std::optional<std::uint64_t> find(std::uint64_t pointer, type_index pointee) const;
  /// Writes what was made for objects that stay in their place. Can't fail.
  void commit() noexcept;
  /// Writes what was there before, and takes the new blocks back. Otherwise they are the library's.
  void undo() noexcept;
  [[nodiscard]] std::size_t moved() const { return blocks_.size(); }

 private:
  struct block {
    std::uint64_t address;
    std::uint64_t size;  // bytes of all of the old objects
    const shape* form;
    std::uint64_t count;
    std::uint64_t new_size;
    std::byte* made = nullptr;        // with malloc: the library may free it
    std::vector<std::byte> before{};  // of an object that stays in its place
    bool in_place = false;
    std::uint64_t migrate = 0;  // the library's own function that does it, as the new file has it
  };

  [[nodiscard]] std::optional<error> unreached(const reach& from) const;
  [[nodiscard]] std::optional<error> place_one(reach& from, const object& o);
  [[nodiscard]] std::optional<error> unseen(reach& from) const;
  [[nodiscard]] std::optional<error> allocate(reach& from);
  [[nodiscard]] const block* holding(std::uint64_t address) const;
  [[nodiscard]] std::uint64_t migration_of(const shape& form) const;
  [[nodiscard]] error refuse(typed was, typed is, const std::string& who, const std::string& why) const;

  const side& was_;
  const side& is_;
  std::string path_;
  visible_types visible_;
  std::vector<block> blocks_;  // by address
  bool given_ = false;         // the new blocks, to the library
};

}  // namespace autoreload::state
