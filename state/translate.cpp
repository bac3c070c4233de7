// SPDX-License-Identifier: MIT
// translate: functions by their names, variables by theirs and then by field and element, text by what it says.
#include "state/translate.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace autoreload::state {

namespace {

constexpr std::size_t longest_text = 1U << 20;

std::optional<std::string_view> text_at(const image& file, std::uint64_t address) {
  const std::span<const std::byte> rest = file.constants(address);
  const void* const end = rest.empty() ? nullptr : std::memchr(rest.data(), 0, std::min(rest.size(), longest_text));
  if (end == nullptr) return std::nullopt;
  const char* const first = reinterpret_cast<const char*>(rest.data());
  return std::string_view(first, static_cast<std::size_t>(static_cast<const char*>(end) - first));
}

bool may_be_text(typed pointee) {
  const types::type& t = pointee.bare().type();
  return t.kind == kind::nothing || (t.kind == kind::base && t.size == 1);
}

bool is_readable(char c) { return c == '\n' || c == '\t' || static_cast<unsigned char>(c) >= 0x20; }

// A pointer to this type may point to a value of the other, at the same place.
bool means(typed pointee, typed there) {
  const types::type& a = pointee.bare().type();
  const types::type& b = there.bare().type();
  if (a.kind == kind::nothing || a.kind == kind::unknown) return true;
  return a.kind == b.kind && a.name == b.name;
}

}  // namespace

std::optional<std::uint64_t> map_offset(typed was, typed is, std::uint64_t offset, typed pointee) {
  std::uint64_t to = 0;
  for (int depth = 0; depth < types::deepest; ++depth) {
    was = was.bare();
    is = is.bare();
    if ((offset == 0 && means(pointee, was)) || same_bytes(was, is)) return to + offset;
    if (was.type().kind != is.type().kind) return std::nullopt;
    if (was.type().kind == kind::array) {
      const std::uint64_t from_stride = size_of(was.target());
      const std::uint64_t to_stride = size_of(is.target());
      if (from_stride == 0 || to_stride == 0) return std::nullopt;
      const std::uint64_t element = offset / from_stride;
      if (element > is.type().size) return std::nullopt;
      to += element * to_stride;
      offset %= from_stride;
      if (element == is.type().size) return offset == 0 ? std::optional(to) : std::nullopt;  // the end
      was = {was.in, was.type().target};
      is = {is.in, is.type().target};
    } else if (was.type().kind == kind::structure) {
      const std::vector<slot> before = slots_of(was);
      const std::vector<slot> now = slots_of(is);
      const auto from = std::find_if(before.begin(), before.end(), [&](const slot& s) {
        const std::uint64_t start = s.bit_offset / 8;
        return s.bit_size == 0 && offset >= start &&
               offset - start < std::max<std::uint64_t>(1, size_of({was.in, s.type}));
      });
      if (from == before.end()) return std::nullopt;
      const auto there = std::find_if(now.begin(), now.end(), [&](const slot& s) { return s.name == from->name; });
      if (there == now.end() || there->bit_size != 0) return std::nullopt;
      offset -= from->bit_offset / 8;
      to += there->bit_offset / 8;
      was = {was.in, from->type};
      is = {is.in, there->type};
    } else {
      return offset < size_of(is) ? std::optional(to + offset) : std::nullopt;
    }
  }
  return std::nullopt;
}

translator::translator(const side& was, const side& is, const matches& variables)
    : was_(was), is_(is), functions_(*was.types, *is.types) {
  const auto add = [&](const types::variable* before, const types::variable* now) {
    if (before->storage != types::storage::memory) return;
    const std::uint64_t size = size_of({was.types.get(), before->type});
    for (const types::variable_part& p : before->parts) {
      const std::uint64_t length = p.size == 0 ? size : p.size;
      if (!p.two_valued) extents_.push_back({p.address, p.address + length, before, now, p.offset});
    }
  };
  for (const matches::pair& p : variables.pairs) add(p.was, p.is);
  for (const types::variable* const v : variables.dropped) add(v, nullptr);
  std::sort(extents_.begin(), extents_.end(), [](const extent& a, const extent& b) { return a.begin < b.begin; });
}

const translator::extent* translator::holding(std::uint64_t address) const {
  auto after = std::upper_bound(extents_.begin(), extents_.end(), address,
                                [](std::uint64_t a, const extent& e) { return a < e.begin; });
  if (after == extents_.begin()) return nullptr;
  const extent& before = *std::prev(after);
  return address < before.end || address == before.end ? &before : nullptr;  // one past the end is a place, too
}

// Text may lie directly behind a constant table.
bool translator::is_behind(const extent& e, std::uint64_t address) const {
  return address == e.end && !was_.file->constants(address).empty();
}

std::optional<std::uint64_t> translator::in_variable(const extent& e, std::uint64_t address, type_index pointee) const {
  if (e.is == nullptr || e.is->storage != types::storage::memory) return std::nullopt;
  const typed was{was_.types.get(), e.was->type};
  const typed is{is_.types.get(), e.is->type};
  const std::uint64_t offset = e.offset + (address - e.begin);
  const bool at_end = offset == size_of(was);
  const auto to = at_end ? std::optional(size_of(is)) : map_offset(was, is, offset, {was_.types.get(), pointee});
  return to ? locate(*e.is, *to, at_end ? 0 : 1) : std::nullopt;
}

std::optional<std::uint64_t> translator::find_text(std::uint64_t address) const {
  const std::optional<std::string_view> text = text_at(*was_.file, address);
  if (!text) return std::nullopt;
  const std::string_view wanted(text->data(), text->size() + 1);
  std::optional<std::uint64_t> tail;  // of a longer one: only if there is no other
  for (const auto& [begin, bytes] : is_.file->all_constants()) {
    const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (std::size_t at = all.find(wanted); at != std::string_view::npos; at = all.find(wanted, at + 1)) {
      if (at == 0 || all[at - 1] == '\0') return begin + at;
      if (!tail) tail = begin + at;
    }
  }
  return tail;
}

std::optional<std::uint64_t> translator::find(std::uint64_t address, type_index pointee) {
  if (const types::code* const to = functions_.find(address)) return to->address;
  const bool text = may_be_text({was_.types.get(), pointee});
  const extent* const e = holding(address);
  if (e != nullptr && !(text && is_behind(*e, address))) return in_variable(*e, address, pointee);
  if (!text) return std::nullopt;
  const auto [known, fresh] = texts_.try_emplace(address);
  if (fresh) known->second = find_text(address);
  return known->second;
}

std::optional<std::uint64_t> translator::find_in_use(std::uint64_t address, type_index pointee) {
  const extent* const e = holding(address);
  if (e != nullptr && e->is != nullptr && is_.shares(*e->is)) return address + was_.base - is_.base;
  return find(address, pointee);
}

bool translator::is_shared(std::uint64_t address, const std::string& variable, std::uint64_t offset) const {
  const extent* const e = holding(address);
  if (e == nullptr || e->is == nullptr || !is_.shares(*e->is)) return false;
  return e->is->name == variable && e->offset + (address - e->begin) == offset;
}

std::optional<std::uint64_t> translator::find_untyped(std::uint64_t address) {
  // What is behind a variable's end is more often something else.
  const extent* const e = holding(address);
  if (e != nullptr && address == e->end) return std::nullopt;
  if (functions_.old(address) == nullptr && e == nullptr) {
    // The loader's own tables are constants, too.
    if (!was_.file->section(address).starts_with(".rodata")) return std::nullopt;
    const auto text = text_at(*was_.file, address);
    if (!text || text->empty() || !std::all_of(text->begin(), text->end(), is_readable)) return std::nullopt;
  }
  return find_in_use(address, 0);
}

bool translator::same_text(std::uint64_t was, std::uint64_t is) const {
  if (const extent* const e = holding(was); e != nullptr && !is_behind(*e, was)) return false;
  const auto before = text_at(*was_.file, was);
  const auto now = text_at(*is_.file, is);
  return before && now && *before == *now;
}

std::string translator::name(std::uint64_t address) const {
  if (const types::code* const function = functions_.old(address)) return function->name + "()";
  if (const extent* const e = holding(address); e != nullptr && !is_behind(*e, address)) return called(*e->was);
  const auto text = text_at(*was_.file, address);
  const bool readable = text && !text->empty() && std::all_of(text->begin(), text->end(), is_readable);
  return readable ? '"' + std::string(text->substr(0, 40)) + '"' : "something without a name";
}

}  // namespace autoreload::state
