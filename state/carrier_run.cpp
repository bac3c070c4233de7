// SPDX-License-Identifier: MIT
// carrier_run: memory is reached through memcpy alone: a packed struct's fields have no alignment.
#include "state/carrier_run.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "state/step_run.hpp"

namespace autoreload::state {

namespace {

std::string no_place(const step& s, const std::byte* from) {
  const std::string value = say_number(s, from);
  return s.what == action::choose ? "the new enumeration has no " + value : "its value " + value + " does not fit";
}

// @return whether the value has a place in its new type
bool run_one(const step& s, const std::byte* from, std::byte* to, const resolve& pointers, remarks& said) {
  switch (s.what) {
    case action::copy: std::memcpy(to, from, s.size); break;
    case action::convert:
    case action::choose:
      if (carry_number(s, from, to)) break;
      said.add(state_fate::reset, s.path, no_place(s, from));
      return false;
    case action::follow: {
      const std::uint64_t value = read_pointer(from);
      const std::uint64_t made = pointers(value, s);
      if (!s.optional || made != value) write_pointer(to, made);
      break;
    }
    case action::repeat:
      for (std::uint64_t i = 0; i < s.size; ++i) {
        run(s.body, from + i * s.from_stride, to + i * s.to_stride, pointers, said);
      }
      break;
  }
  return true;
}

std::size_t bytes_read(const step& s) {
  return s.what == action::copy ? s.size : s.what == action::follow ? sizeof(void*) : bytes_of(s.from_format);
}
std::size_t bytes_written(const step& s) {
  return s.what == action::copy ? s.size : s.what == action::follow ? sizeof(void*) : bytes_of(s.to_format);
}

// A byte that can only say one of two values may not be able to say this one.
bool write_two_valued(const side& is, const types::variable_part& part, const std::byte* made, std::size_t size) {
  const bool clear = std::memcmp(made, spread(part.clear).data(), size) == 0;
  if (!clear && std::memcmp(made, spread(part.set).data(), size) != 0) return false;
  *is.at(part.address) = clear ? std::byte{0} : std::byte{1};
  return true;
}

constexpr const char* two_left = "its value is not one of the two that the new build's optimiser left it";
constexpr const char* none_left = "the new build's optimiser left it no memory";

// Each stretch that has memory on both sides.
void copy_in_pieces(const step& s, const side& was, const types::variable& before, const side& is,
                    const types::variable& now, remarks& said) {
  bool known = false;
  bool placed = false;
  for (std::uint64_t done = 0; done < s.size;) {
    stretch from = first_stretch(was, before, s.from + done, s.size - done);
    const stretch to = first_stretch(is, now, s.to + done, from.size);
    from.size = std::min(from.size, to.size);
    known |= from.part != nullptr;
    placed |= from.part != nullptr && to.part != nullptr;
    if (from.part != nullptr && to.part != nullptr && from.size != 0) {
      word copy{};
      const std::byte* value = was.at(from.part->address + from.into);
      if (from.part->two_valued) {
        copy = spread(*was.at(from.part->address) == std::byte{0} ? from.part->clear : from.part->set);
        value = copy.data() + from.into;
      }
      if (!to.part->two_valued) {
        std::memcpy(is.at(to.part->address + to.into), value, from.size);
      } else if (!write_two_valued(is, *to.part, value, std::min<std::size_t>(from.size, sizeof copy))) {
        said.add(state_fate::reset, s.path, two_left);
      }
    }
    done += std::max<std::uint64_t>(from.size, 1);
  }
  if (known && !placed) said.add(state_fate::dropped, s.path, none_left);
}

}  // namespace

const std::byte* value_at(const side& in, const types::variable& v, std::uint64_t offset, std::size_t size,
                          word& copy) {
  if (const auto address = locate(v, offset, size)) return in.at(*address);
  const types::variable_part* const part = two_valued(v, offset);
  if (part == nullptr || size > copy.size()) return nullptr;
  copy = spread(*in.at(part->address) == std::byte{0} ? part->clear : part->set);
  return copy.data();
}

std::uint64_t read_pointer(const std::byte* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}
void write_pointer(std::byte* at, std::uint64_t value) { std::memcpy(at, &value, sizeof value); }

void each_pointer(const std::vector<step>& steps, const std::byte* from,
                  const std::function<void(const std::byte* at, const step& s)>& visit) {
  for (const step& s : steps) {
    if (s.what == action::follow) visit(from + s.from, s);
    if (s.what != action::repeat || !follows_pointers(s.body)) continue;
    for (std::uint64_t i = 0; i < s.size; ++i) each_pointer(s.body, from + s.from + i * s.from_stride, visit);
  }
}

void run(const std::vector<step>& steps, const std::byte* from, std::byte* to, const resolve& pointers, remarks& said) {
  for (const step& s : steps) run_one(s, from + s.from, to + s.to, pointers, said);
}

void run_in_pieces(const std::vector<step>& steps, const side& was, const types::variable& before, const side& is,
                   const types::variable& now, const resolve& pointers, remarks& said) {
  for (const step& s : steps) {
    if (s.what == action::copy) {
      copy_in_pieces(s, was, before, is, now, said);
      continue;
    }
    word copy{};
    word made{};
    const std::byte* const from = value_at(was, before, s.from, bytes_read(s), copy);
    if (from == nullptr) continue;  // the old build never changed it
    const types::variable_part* const part = two_valued(now, s.to);
    if (const auto address = locate(now, s.to, bytes_written(s))) {
      run_one(s, from, is.at(*address), pointers, said);
    } else if (part == nullptr || bytes_written(s) > made.size()) {
      said.add(state_fate::dropped, s.path, none_left);
    } else if (run_one(s, from, made.data(), pointers, said) &&
               !write_two_valued(is, *part, made.data(), bytes_written(s))) {
      said.add(state_fate::reset, s.path, two_left);
    }
  }
}

void each_pointer_in_pieces(const std::vector<step>& steps, const side& was, const types::variable& before,
                            const std::function<void(const std::byte* at, const step& s)>& visit) {
  for (const step& s : steps) {
    const auto address = s.what == action::follow ? locate(before, s.from, sizeof(void*)) : std::nullopt;
    if (address) visit(was.at(*address), s);
  }
}

}  // namespace autoreload::state
