// SPDX-License-Identifier: MIT
// loose_pointers: sets the program's own pointers right that lead into an old build: a handle that the library made has
// pointers to its functions, its tables and its variables, and only the program may know where it is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <autoreload/unload.hpp>

#include "holders/loaders_words.hpp"
#include "holders/unseen.hpp"

namespace autoreload::exec {

/// What is looked at, and what is not.
struct pointer_search {
  held_image old{};  ///< the build that pointers lead to
  /// The loader's own books about it: they stay.
  std::shared_ptr<const holding::loaders_words> loaders{};
  /// Of the old build's memory: it is shared with the new one. The list itself is not to be found.
  holding::unseen_list<memory_range> too{};
  held_image now{};  ///< the new build, whose memory is not looked at
  /// Where a pointer shall lead; nothing: it stays.
  std::function<std::optional<std::uintptr_t>(std::uintptr_t old)> to{};
};

class loose_pointers {
 public:
  /// Goes through all private memory that the process can write, word by word. A word is changed by a compare-exchange:
  /// one that another thread writes meanwhile is that thread's. @return how many were changed
  /// @throws std::bad_alloc; what was changed is taken back by undo()
  std::size_t set_right(const pointer_search& what);
  /// Takes it back.
  void undo() noexcept;

 private:
  struct word {
    std::uintptr_t at;
    std::uint64_t was;  // inverted: it is no pointer
    std::uint64_t is;
    bool changed;
  };
  [[nodiscard]] holding::unseen_list<word> find(const pointer_search& what) const;
  static void exchange(word* words, std::size_t count) noexcept;

  holding::unseen_list<word> changed_;
};

}  // namespace autoreload::exec
