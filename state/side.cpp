// SPDX-License-Identifier: MIT
// side: where the pieces of a variable are that an optimiser took apart.
#include "state/side.hpp"

#include <algorithm>
#include <cstring>

#include "state/layout.hpp"

namespace autoreload::state {

std::optional<std::uint64_t> locate(const types::variable& of, std::uint64_t offset, std::uint64_t size) {
  for (const types::variable_part& p : of.parts) {
    if (p.two_valued) continue;
    if (p.size == 0) return p.address + offset;
    if (offset >= p.offset && size <= p.size && offset - p.offset <= p.size - size) {
      return p.address + (offset - p.offset);
    }
  }
  return std::nullopt;
}

std::array<std::byte, 8> spread(std::uint64_t value) {
  std::array<std::byte, 8> bytes;
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

const types::variable_part* two_valued(const types::variable& of, std::uint64_t offset) {
  const auto there = std::find_if(of.parts.begin(), of.parts.end(),
                                  [&](const types::variable_part& p) { return p.two_valued && p.offset == offset; });
  return there == of.parts.end() ? nullptr : &*there;
}

stretch first_stretch(const side& of, const types::variable& v, std::uint64_t offset, std::uint64_t size) {
  stretch found{nullptr, 0, size};
  for (const types::variable_part& p : v.parts) {
    const std::uint64_t length = p.size != 0 ? p.size : size_of({of.types.get(), v.type});
    if (offset >= p.offset && offset - p.offset < length) {
      return {&p, offset - p.offset, std::min(size, length - (offset - p.offset))};
    }
    if (p.offset > offset) found.size = std::min(found.size, p.offset - offset);
  }
  return found;
}

void initial_bytes(const side& of, const types::variable& v, std::uint64_t offset, std::span<std::byte> into,
                   std::span<bool> known) {
  std::fill(known.begin(), known.end(), false);
  for (std::size_t done = 0; done < into.size();) {
    const stretch s = first_stretch(of, v, offset + done, into.size() - done);
    const std::span<std::byte> here = into.subspan(done, s.size);
    bool there = false;
    if (s.part != nullptr && !s.part->two_valued) {
      there = of.file->initial(s.part->address + s.into, here);
    } else if (std::byte which{}; s.part != nullptr && s.into + s.size <= 8) {
      there = of.file->initial(s.part->address, {&which, 1});
      const auto bytes = spread(which == std::byte{0} ? s.part->clear : s.part->set);
      std::memcpy(here.data(), bytes.data() + s.into, s.size);
    }
    std::fill_n(known.begin() + static_cast<std::ptrdiff_t>(done), s.size, there);
    done += s.size;
  }
}

bool initial_bytes(const side& of, const types::variable& v, std::uint64_t offset, std::span<std::byte> into) {
  std::array<bool, 64> known{};
  if (into.size() > known.size()) return false;
  initial_bytes(of, v, offset, into, {known.data(), into.size()});
  return std::all_of(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(into.size()), [](bool k) { return k; });
}

std::string called(const types::variable& v) {
  return v.function.empty() ? v.name : v.name + " in " + v.function + "()";
}

}  // namespace autoreload::state
