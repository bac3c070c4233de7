// SPDX-License-Identifier: MIT
// move: what the host can't have a pointer to is moved, because then every reference is one that was followed; of what
// it may have a pointer to the contents change in their place, if they fit.
#include "state/move.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "state/convert.hpp"
#include "state/heap_block.hpp"
#include "state/layout_text.hpp"
#include "types/spell.hpp"

namespace autoreload::state {

mover::~mover() {
  for (const block& b : blocks_) {
    if (b.in_place || !given_) std::free(b.made);
  }
}

std::uint64_t mover::migration_of(const shape& form) const {
  const std::string name = migration_name(form.was);
  for (const types::code& c : is_.types->functions) {
    if (c.name == name) return c.address;
  }
  return 0;
}

const mover::block* mover::holding(std::uint64_t address) const {
  const auto after = std::upper_bound(blocks_.begin(), blocks_.end(), address,
                                      [](std::uint64_t a, const block& b) { return a < b.address; });
  if (after == blocks_.begin()) return nullptr;
  const block& before = *std::prev(after);
  return address - before.address < before.size ? &before : nullptr;
}

std::optional<error> mover::place(reach& from) {
  if (auto refused = unreached(from)) return refused;
  for (const object& o : from.unsure()) {
    if (from.changed().contains({o.address, o.form})) continue;
    return refuse(o.form->was, o.form->is, o.path + " leads to one",
                  "it is in a row whose length no number beside the pointer says");
  }
  if (from.changed().empty()) return std::nullopt;
  visible_.add(*was_.types);
  visible_.add(*is_.types);
  // Of objects at one address the outermost comes first: what begins a struct is a part of it.
  std::vector<const object*> all;
  for (const auto& [key, o] : from.changed()) all.push_back(&o);
  std::stable_sort(all.begin(), all.end(), [](const object* a, const object* b) {
    return a->address != b->address ? a->address < b->address : a->form->size > b->form->size;
  });
  for (const object* const o : all) {
    if (auto refused = place_one(from, *o)) return refused;
  }
  if (auto refused = unseen(from)) return refused;
  return allocate(from);
}

// Every pointer to what is moved has to be found. One may lie where no type leads.
std::optional<error> mover::unseen(reach& from) const {
  const block* found = nullptr;
  const auto moves = [&](std::uint64_t value) {
    const block* const b = holding(value);
    if (b == nullptr || b->in_place) return false;
    found = b;
    return true;
  };
  const auto is_known = [&](std::uint64_t address) { return from.has_followed(address); };
  const std::string* const path = find_reference(from.untyped(), from.memory(), moves, is_known);
  if (path == nullptr) return std::nullopt;
  return refuse(found->form->was, found->form->is,
                *path + " leads to something without a type that has a pointer to one",
                "what has no type is not followed, so that pointer would be left behind");
}

// A struct of another layout that the library makes for its host, of which none was found: the host may have some.
std::optional<error> mover::unreached(const reach& from) const {
  for (const typed& was : visible_types::given_away(*was_.types)) {
    const bool reached = std::any_of(from.changed().begin(), from.changed().end(), [&](const auto& known) {
      return known.second.form->was.type().name == was.type().name;
    });
    if (reached || was.type().name.empty()) continue;
    for (type_index i = 0; i < is_.types->types.size(); ++i) {
      const typed is{is_.types.get(), i};
      const types::type& t = is.type();
      if (t.kind != kind::structure || !t.complete || t.name != was.type().name || same_bytes(was, is)) continue;
      return refuse(was, is, "the host may have some", "no variable of the library leads to one");
    }
  }
  return std::nullopt;
}

std::optional<error> mover::place_one(reach& from, const object& o) {
  if (const block* const outer = holding(o.address)) {
    const std::uint64_t offset = (o.address - outer->address) % outer->form->size;
    if (map_offset(outer->form->was, outer->form->is, offset, o.form->was)) return std::nullopt;
    return refuse(o.form->was, o.form->is, o.path + " leads to one",
                  "it lies inside of " + types::spell_tag(outer->form->was.type()) + ", which has nothing there now");
  }
  block b{o.address, 0, o.form, 1, size_of(o.form->is), nullptr, {}, false, migration_of(*o.form)};
  const auto room = heap_block_size(from.memory(), o.address);
  b.count = room ? *room / o.form->size : 1;
  if (room && b.count == 0)
    return refuse(o.form->was, o.form->is, o.path + " leads to one", "its block of the heap is smaller than it");
  if (b.migrate == 0) {
    if (!room)
      return refuse(o.form->was, o.form->is, o.path + " leads to one",
                    "it is not a block of malloc's, so how many there are is not known");
    if (visible_.has(o.form->was) || visible_.has(o.form->is)) {
      if (b.count != 1)
        return refuse(o.form->was, o.form->is, o.path + " leads to one",
                      "the host may have pointers to it, and there may be several in a row");
      if (b.new_size > *room)
        return refuse(o.form->was, o.form->is, o.path + " leads to one",
                      "the host may have pointers to it, and it does not fit into its place");
      b.in_place = true;
    }
  }
  b.size = b.count * o.form->size;
  blocks_.push_back(std::move(b));
  return std::nullopt;
}

std::optional<error> mover::allocate(reach& from) {
  for (block& b : blocks_) {
    if (b.in_place) {
      b.before.resize(b.new_size);
      if (!from.memory().read(b.address, b.before)) return error(stage::handover, path_, "an object is gone meanwhile");
    }
    b.made = static_cast<std::byte*>(std::calloc(b.count, b.new_size));
    if (b.made == nullptr) return error(stage::handover, path_, "there is no memory for the objects of the new layout");
  }
  return std::nullopt;
}

void mover::fill(reach& from, const resolve& pointers, remarks& said) {
  std::vector<std::byte> old;
  for (const block& b : blocks_) {
    old.resize(b.size);
    if (!from.memory().read(b.address, old)) continue;
    remarks ignored;  // of an array's elements that were never used
    for (std::uint64_t i = 0; i < b.count; ++i) {
      std::byte* const to = b.made + i * b.new_size;
      const std::byte* const element = old.data() + i * b.form->size;
      if (b.migrate == 0) {
        run(b.form->how.steps, element, to, pointers, b.count == 1 ? said : ignored);
        continue;
      }
      reinterpret_cast<void (*)(void*, const void*)>(is_.base + b.migrate)(to, element);
      // What the function copied may lead into the old build.
      program again = convert(b.form->is, b.form->is, {});
      each_pointer(again.steps, to, [&](const std::byte* at, const step& s) {
        step of = s;
        of.was = 0;
        write_pointer(to + (at - to), pointers(read_pointer(at), of));
      });
    }
    for (const state_remark& r : b.form->how.remarks) {
      if (b.migrate == 0) said.add(r.fate, r.variable, r.text);
    }
    if (b.migrate != 0)
      said.add(state_fate::converted, types::spell_tag(b.form->was.type()), "by " + migration_name(b.form->was) + "()");
  }
}

std::optional<std::uint64_t> mover::find(std::uint64_t pointer, type_index pointee) const {
  const block* const b = holding(pointer);
  if (b == nullptr) return std::nullopt;
  const std::uint64_t index = (pointer - b->address) / b->form->size;
  const std::uint64_t offset = (pointer - b->address) % b->form->size;
  const auto to = map_offset(b->form->was, b->form->is, offset, {was_.types.get(), pointee});
  const std::uint64_t start = b->in_place ? b->address : reinterpret_cast<std::uintptr_t>(b->made);
  return start + index * b->new_size + to.value_or(0);
}

void mover::commit() noexcept {
  given_ = true;
  for (const block& b : blocks_) {
    if (b.in_place) static_cast<void>(process_memory::write(b.address, {b.made, b.new_size}));
  }
}

void mover::undo() noexcept {
  given_ = false;
  for (const block& b : blocks_) {
    if (b.in_place) static_cast<void>(process_memory::write(b.address, b.before));
  }
}

error mover::refuse(typed was, typed is, const std::string& who, const std::string& why) const {
  const std::string name = types::spell_tag(was.type());
  return error(stage::handover, path_,
               name + " has another layout, and " + who + ", which can't be carried over: " + why + "\n" +
                   side_by_side(was, is))
      .advise("export a function from the library that does it: `" + migration_prototype(was) +
              "`, or reload it with a fresh start");
}

}  // namespace autoreload::state
