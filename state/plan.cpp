// SPDX-License-Identifier: MIT
// plan: what can be refused is refused before anything is written; and what is written is the new build's memory,
// which nobody sees until the reload is published.
#include "state/plan.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "state/carrier_run.hpp"
#include "state/convert.hpp"
#include "state/forget.hpp"
#include "state/marks.hpp"

namespace autoreload::state {

namespace {

// A struct whose last field is an array without a length.
bool ends_open(typed of) {
  const types::type& t = of.bare().type();
  if (t.kind != kind::structure || t.members.empty()) return false;
  const types::type& last = typed{of.in, t.members.back().type}.bare().type();
  return last.kind == kind::array && (!last.complete || last.size == 0);
}

}  // namespace

plan::plan(std::string path, side was, side is, const state_options& options, said_once& once)
    : path_(std::move(path)), was_(std::move(was)), is_(std::move(is)), once_(once) {
  matches_ = match(*was_.types, *is_.types);
  places_ = std::make_unique<translator>(was_, is_, matches_);
  for (const matches::pair& p : matches_.pairs) add(p, options);
  for (const types::variable* const v : matches_.fresh) variables_ += is_writable(*v) ? 1 : 0;
  for (const types::variable* const v : matches_.ambiguous) {
    if (!is_writable(*v)) continue;
    ++variables_;
    known_.add(state_fate::reset, called(*v), "the function has another number of variables of this name than before");
  }
  for (const types::variable* const v : matches_.dropped) {
    const bool had_value = v->storage == types::storage::memory && !is_constant({was_.types.get(), v->type}) &&
                           was_.file->is_writable(v->parts.front().address, 1);
    if (had_value) known_.add(state_fate::dropped, called(*v), "the new build has no such variable");
  }
}

bool plan::is_writable(const types::variable& v) const {
  if (v.storage != types::storage::memory || is_constant({is_.types.get(), v.type})) return false;
  const std::uint64_t size = size_of({is_.types.get(), v.type});
  return size != 0 && std::all_of(v.parts.begin(), v.parts.end(), [&](const types::variable_part& p) {
           // Damaged debug information may name what is the loader's.
           return is_.file->is_writable(p.address, p.two_valued  ? 1
                                                   : p.size == 0 ? size
                                                                 : p.size) &&
                  is_.file->section(p.address).substr(0, 4) != ".got";
         });
}

std::string plan::why_not(const matches::pair& p) const {
  const types::variable& was = *p.was;
  const types::variable& is = *p.is;
  if (was.storage == types::storage::thread_local_ || is.storage == types::storage::thread_local_) {
    return "each thread has its own: thread-local variables start anew";
  }
  if (was.storage == types::storage::unreadable || is.storage == types::storage::unreadable) {
    return "the debug information tells its place in a way that is not read";
  }
  if (is_constant({is_.types.get(), is.type})) return "it is const: the new build's value holds";
  if (is.storage == types::storage::none) return "the optimiser left it no memory: nothing changes it in the new build";
  const std::uint64_t size = size_of({was_.types.get(), was.type});
  const bool readable =
      size != 0 && std::all_of(was.parts.begin(), was.parts.end(), [&](const types::variable_part& v) {
        return was_.file->holds(v.address, v.two_valued ? 1 : v.size == 0 ? size : v.size);
      });
  if (was.storage == types::storage::memory && !readable) return "its size is not known";
  if (!is_writable(is)) return "the new build keeps it where it can't be written";
  return {};
}

void plan::say_once(const types::variable& v, const std::string& why) {
  if (once_.first(path_, called(v) + ' ' + why)) known_.add(state_fate::reset, called(v), why);
}

void plan::add(const matches::pair& p, const state_options& options) {
  if (is_.shares(*p.is)) return;
  if (const std::string why = why_not(p); !why.empty()) return say_once(*p.is, why);
  ++variables_;
  if (const auto fresh = marked_fresh(options, was_, *p.was, is_, *p.is)) {
    known_.add(state_fate::reset, called(*p.is), *fresh);
    return;
  }
  if (p.was->storage == types::storage::none) {
    return say_once(*p.is, "the optimiser left it no memory in the running build");
  }
  carried made{p, {}, {}, true};
  made.whole = in_one_piece(*p.was) && in_one_piece(*p.is);
  const typed was{was_.types.get(), p.was->type};
  const typed is{is_.types.get(), p.is->type};
  made.how = convert(was, is, p.is->name, !made.whole);
  if (!marked_keep(options, is_, *p.is)) made.edits = keep_edited(made.how, p, was_, is_, *places_);
  if (ends_open(was)) say_once(*p.is, "how long the array at its end is nobody says: its elements start anew");
  known_.inside(p.is->function);
  for (state_remark& r : made.how.remarks) known_.add(r.fate, std::move(r.variable), std::move(r.text));
  known_.inside({});
  kept_ += made.how.steps.empty() ? 0 : 1;
  find_locks(was_, *p.was, locks_);
  carried_.push_back(std::move(made));
}

void plan::tell_edits(const carried& c, remarks& said) const {
  for (const edited& e : c.edits) {
    std::string text = "its initialiser changed";
    std::array<std::byte, 64> before{};
    const std::span<std::byte> start(before.data(), std::min<std::size_t>(before.size(), e.size));
    const auto address = locate(*c.variable.was, e.from, start.size());
    const bool pointer = address && was_.file->relocation(*address) != nullptr;
    if (address && !pointer && initial_bytes(was_, *c.variable.was, e.from, start) &&
        std::memcmp(before.data(), was_.at(*address), start.size()) != 0) {
      text += ", and the value that it had got meanwhile is given up";
    }
    said.add(state_fate::reset, e.path, std::move(text));
  }
}

std::uint64_t plan::resolve_pointer(std::uint64_t pointer, const step& s, const mover& moved, remarks& said) {
  if (pointer == 0) return 0;
  const auto address = was_.inside(pointer);
  if (!address) return moved.find(pointer, s.was).value_or(pointer);
  if (const auto to = places_->find_in_use(*address, s.was)) return is_.base + *to;
  needs_old_ = true;
  said.add(state_fate::dangling, s.path,
           "points to " + places_->name(*address) + " of the old build, and the new one has nothing like it");
  return pointer;
}

std::uint64_t plan::length_at(const types::variable& of, std::uint64_t offset, const number_format& format) const {
  word copy{};
  const std::byte* const at = value_at(was_, of, offset, format.size, copy);
  if (at == nullptr) return 1;
  const number n = read_number(at, format);
  return n.negative ? 1 : n.magnitude;
}

// Of `items` the value of `item_count`, when the same file has it.
std::optional<std::uint64_t> plan::length_beside(const types::variable& pointer) const {
  for (const carried& c : carried_) {
    const types::variable& v = *c.variable.was;
    const types::type& t = typed{was_.types.get(), v.type}.bare().type();
    const number_format format{t.encoding, t.size, 0, 0};
    const bool integer = t.kind == kind::base && t.encoding != types::encoding::floating && is_readable(format);
    if (integer && v.unit == pointer.unit && counts(v.name, pointer.name)) return length_at(v, 0, format);
  }
  return std::nullopt;
}

// Every pointer that will be carried, and what it leads to.
void plan::look_around(reach& heap) {
  for (const carried& c : carried_) {
    if (!follows_pointers(c.how.steps)) continue;
    const types::variable& was = *c.variable.was;
    const typed type{was_.types.get(), was.type};
    const std::vector<counted> lengths = counted_fields(type);
    const bool is_pointer = type.bare().type().kind == kind::pointer;
    const auto visit = [&](const std::byte* at, const step& s) {
      const std::uint64_t value = read_pointer(at);
      if (value == 0) return;
      const auto beside = std::find_if(lengths.begin(), lengths.end(), [&](const counted& l) {
        const auto place = locate(was, l.pointer, sizeof(void*));
        return place && was_.at(*place) == at;
      });
      std::optional<std::uint64_t> count = is_pointer ? length_beside(was) : std::nullopt;
      if (beside != lengths.end()) count = length_at(was, beside->length, beside->format);
      heap.found(value, s.was, s.is, s.path, count);
    };
    if (c.whole) {
      each_pointer(c.how.steps, was_.at(was.parts.front().address), visit);
    } else {
      each_pointer_in_pieces(c.how.steps, was_, was, visit);
    }
  }
  heap.walk();
}

void plan::run_all(const resolve& pointers, remarks& said) {
  for (const carried& c : carried_) {
    said.inside(c.variable.is->function);
    tell_edits(c, said);
    const types::variable& was = *c.variable.was;
    const types::variable& is = *c.variable.is;
    if (c.whole) {
      run(c.how.steps, was_.at(was.parts.front().address), is_.at(is.parts.front().address), pointers, said);
    } else {
      run_in_pieces(c.how.steps, was_, was, is_, is, pointers, said);
    }
  }
  said.inside({});
}

std::optional<error> plan::held_lock() const {
  for (const lock& l : locks_) {
    if (!is_held(was_, l)) continue;
    return error(stage::handover, path_, "its lock " + l.name + " is held, so what it guards can't be carried over")
        .advise("let the function that took it give it back before it returns, or reload again once it has");
  }
  return std::nullopt;
}

// A word that the new build has set to something else meanwhile is its own.
void plan::undo() noexcept {
  if (moved_) moved_->undo();
  for (const patch& p : written_) {
    std::uint64_t now = 0;
    const std::uint64_t before = ~p.was;
    if (process_memory::read_now(p.address, std::as_writable_bytes(std::span(&now, 1))) && now == p.is) {
      static_cast<void>(process_memory::write(p.address, std::as_bytes(std::span(&before, 1))));
    }
  }
  written_.clear();
}

std::optional<std::uintptr_t> plan::whereabouts(std::uintptr_t old) {
  const auto address = was_.inside(old);
  const auto to = address ? places_->find_untyped(*address) : std::nullopt;
  return to ? std::optional(is_.base + *to) : std::nullopt;
}

// Of what was carried in part the old build keeps nothing either: a count without its array would be worse.
std::function<void()> plan::farewell() {
  std::vector<memory_range> given;
  for (const carried& c : carried_) {
    if (c.how.steps.empty()) continue;
    const types::variable& v = *c.variable.was;
    for (const types::variable_part& p : v.parts) {
      const std::uint64_t size = p.two_valued ? 1 : p.size == 0 ? size_of({was_.types.get(), v.type}) : p.size;
      given.push_back({p.address, size});
    }
  }
  return [was = was_, given = std::move(given)]() mutable { forget(was, std::move(given)); };
}

result<state_report> plan::carry() {
  try {
    if (auto held = held_lock()) return *held;
    remarks said = known_;
    reach heap(was_, is_, *places_, said);
    look_around(heap);
    moved_ = std::make_unique<mover>(was_, is_, path_);
    mover& moved = *moved_;
    if (auto refused = moved.place(heap)) return *refused;
    const resolve pointers = [&](std::uint64_t value, const step& s) { return resolve_pointer(value, s, moved, said); };
    moved.fill(heap, pointers, said);
    std::vector<patch> patches = heap.patches();
    if (moved.moved() != 0) {
      heap.each_kept([&](std::uint64_t at, std::uint64_t value, const step& s) {
        if (const auto to = moved.find(value, s.was); to && *to != value) patches.push_back({at, value, *to});
      });
    }
    run_all(pointers, said);
    state_report report;
    report.kept = kept_;
    report.variables = variables_;
    report.needs_old = needs_old_ || heap.needs_old();
    report.remarks = std::move(said).take();
    std::vector<process_memory::new_word> words;
    words.reserve(patches.size());
    for (const patch& p : patches) words.push_back({p.address, p.is});
    // From here on nothing can fail. So far nothing but the new build's own memory was written.
    written_ = std::move(patches);
    for (patch& p : written_) p.was = ~p.was;  // whoever looks for pointers into the old build leaves these alone
    moved.commit();
    process_memory::write(words);
    return report;
  } catch (const std::bad_alloc&) {
    return error(stage::handover, path_, "there is no memory to carry its variables over");
  }
}

}  // namespace autoreload::state
