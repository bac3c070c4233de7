// SPDX-License-Identifier: MIT
// reach: a queue and a set, so that a ring ends and a list of any length costs no stack.
#include "state/reach.hpp"

#include <algorithm>

#include "state/carrier_run.hpp"
#include "state/convert.hpp"
#include "state/heap_block.hpp"
#include "types/spell.hpp"

namespace autoreload::state {

namespace {

constexpr std::size_t most_objects = 10'000'000;
constexpr std::uint64_t most_elements = 10'000'000;
constexpr std::uint64_t largest_object = 64U << 20;  // bytes

// A copy carries what is no pointer, and in an object that stays nothing of that has to be done.
void keep_pointers(std::vector<step>& steps) {
  for (step& s : steps) keep_pointers(s.body);
  std::erase_if(steps,
                [](const step& s) { return s.what != action::follow && (s.what != action::repeat || s.body.empty()); });
}

}  // namespace

const shape* reach::form_of(type_index was, type_index is) {
  const typed a = typed{was_.types.get(), was}.bare();
  const typed b = typed{is_.types.get(), is}.bare();
  const auto [known, fresh] = forms_.try_emplace({a.index, b.index});
  if (!fresh) return known->second.get();
  const kind what = a.type().kind;
  const bool object = what == kind::structure || what == kind::unite || what == kind::pointer || what == kind::array;
  const std::uint64_t size = object ? size_of(a) : 0;
  if (size == 0 || size > largest_object || size_of(b) == 0 || !a.type().complete || !b.type().complete) return nullptr;
  const bool changed = what != kind::pointer && !same_bytes(a, b);
  if (!changed && !has_pointers(a)) return nullptr;
  auto made = std::make_unique<shape>(shape{a, b, size, changed, convert(a, b, types::spell(*a.in, a.index)), {}});
  if (!changed) keep_pointers(made->how.steps);
  made->lengths = counted_fields(a);
  known->second = std::move(made);
  return known->second.get();
}

void reach::found(std::uint64_t pointer, type_index was, type_index is, const std::string& path,
                  std::optional<std::uint64_t> count) {
  if (pointer == 0 || was_.inside(pointer) || is_.inside(pointer)) return;
  const shape* const form = form_of(was, is);
  if (form == nullptr) {
    const types::type& what = typed{was_.types.get(), was}.bare().type();
    if (what.kind == kind::nothing || !what.complete) untyped_.push_back({pointer, &path});
    return;
  }
  if (guessing_ && form->changed && !changed_.contains({pointer, form})) {
    if (heap_block_size(memory_, pointer).value_or(0) >= form->size) unsure_.push_back({pointer, form, path});
    return;
  }
  const std::uint64_t elements = std::clamp<std::uint64_t>(count.value_or(1), 1, most_elements);
  for (std::uint64_t i = 0; i < elements && seen_.size() < most_objects; ++i) {
    const place p{pointer + i * form->size, form};
    if (!seen_.insert(p).second) continue;
    // An array's elements are looked at as long as they can be read.
    buffer_.resize(form->size);
    if (i != 0 && !memory_.read(p.address, buffer_)) break;
    waiting_.push_back(p);
    followed_.insert(p.address);
    if (!count && !form->changed) rows_.push_back(p);
    if (form->changed && i == 0) changed_.try_emplace({p.address, form}, object{p.address, form, path});
  }
  if (seen_.size() >= most_objects && !needs_old_) {
    needs_old_ = true;
    said_.add(state_fate::dangling, path, "leads to more objects than are followed");
  }
}

void reach::each_kept(const std::function<void(std::uint64_t at, std::uint64_t value, const step& s)>& visit) {
  std::vector<std::byte>& bytes = object_;
  for (const place& p : seen_) {
    bytes.resize(p.form->size);
    if (p.form->changed || !memory_.read(p.address, bytes)) continue;
    each_pointer(p.form->how.steps, bytes.data(), [&](const std::byte* at, const step& s) {
      visit(p.address + static_cast<std::uint64_t>(at - bytes.data()), read_pointer(at), s);
    });
  }
}

void reach::walk() {
  if (!waiting_.empty() && !memory_.works()) {  // a sandbox may refuse process_vm_readv
    needs_old_ = true;
    said_.add(state_fate::dangling, "the heap", "can't be followed: the kernel does not let this process read itself");
  }
  follow_all();
  guessing_ = true;
  while (!rows_.empty()) {
    const place first = rows_.front();
    rows_.pop_front();
    look_behind(first);
    follow_all();
  }
}

void reach::follow_all() {
  while (!waiting_.empty()) {
    const place p = waiting_.front();
    waiting_.pop_front();
    look_at(p);
  }
}

// No number says how many there are: the block of malloc's has no more than its size. What is behind the last may be
// anything: a word of it that leads into the old build is a pointer of it, and no other word is changed.
void reach::look_behind(const place& first) {
  constexpr std::uint64_t smallest = 24;  // malloc gives that much for a single byte
  const std::uint64_t size = first.form->size;
  const std::uint64_t room = heap_block_size(memory_, first.address).value_or(0);
  if (room <= smallest && first.form->was.type().kind != kind::pointer) return;
  for (std::uint64_t i = 1; i < std::min(room / size, most_elements) && seen_.size() < most_objects; ++i) {
    const place p{first.address + i * size, first.form};
    if (seen_.insert(p).second) waiting_.push_back(p);
  }
}

void reach::look_at(const place& p) {
  std::vector<std::byte>& bytes = object_;
  bytes.resize(p.form->size);
  if (!memory_.read(p.address, bytes)) return;  // the pointer led nowhere, and nobody can follow it
  each_pointer(p.form->how.steps, bytes.data(), [&](const std::byte* at, const step& s) {
    const auto offset = static_cast<std::uint64_t>(at - bytes.data());
    std::optional<std::uint64_t> count;
    for (const counted& c : p.form->lengths) {
      if (c.pointer != offset || c.length + c.format.size > bytes.size()) continue;
      const number n = read_number(bytes.data() + c.length, c.format);
      if (!n.negative) count = n.magnitude;
    }
    follow(p.form->changed ? 0 : p.address + offset, s, read_pointer(at), count);
  });
}

// @param at  where the word stays; 0 when its object is made anew
void reach::follow(std::uint64_t at, const step& s, std::uint64_t value, std::optional<std::uint64_t> count) {
  const auto inside = value == 0 ? std::nullopt : was_.inside(value);
  if (!inside) return found(value, s.was, s.is, s.path, count);
  if (const auto to = places_.find_in_use(*inside, s.was)) {
    if (at != 0) patches_.push_back({at, value, is_.base + *to});
    return;
  }
  needs_old_ = true;
  said_.add(state_fate::dangling, s.path,
            "points to " + places_.name(*inside) + " of the old build, and the new one has nothing like it");
}

}  // namespace autoreload::state
