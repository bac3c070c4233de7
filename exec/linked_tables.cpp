// SPDX-License-Identifier: MIT
// linked_tables: where the stubs of a library lead in each of its builds.
#include "exec/linked_library.hpp"

#include <algorithm>

namespace autoreload::exec {

std::string linked_library::key_name(std::uint32_t slot) const {
  const standin_header& header = *where_.header;
  if (slot < header.functions) return header.strings + header.names[slot].name;
  const std::uint32_t spare = slot - header.functions;
  return spare < added_.size() ? added_[spare] : std::string();
}

const exported_symbol* linked_library::function_of(std::uint32_t slot, const functions& in) const {
  const standin_header& header = *where_.header;
  const std::string name = key_name(slot);
  if (name.empty()) return nullptr;
  const bool known = slot < header.functions && header.names[slot].version != 0;
  const std::string version = known ? header.strings + header.names[slot].version : "";
  if (const auto exact = in.find({name, version}); exact != in.end()) return &exact->second;
  // A library that gets its first version script, or loses it, goes on by names.
  for (auto one = in.lower_bound({name, ""}); one != in.end() && one->first.first == name; ++one) {
    if (one->second.is_default() && (version.empty() || one->first.second.empty())) return &one->second;
  }
  return nullptr;
}

std::vector<std::string> linked_library::fill_table(const build& into) {
  const standin_header& header = *where_.header;
  std::vector<std::string> gone;
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < header.slots; ++i) {
    const exported_symbol* const symbol = function_of(i, into.exported);
    if (symbol == nullptr) {
      into.table()[i] = header.notices + std::size_t{i} * stub_size;
      if (i < header.functions) gone.push_back(key_name(i));
      continue;
    }
    into.table()[i] = target_of(into, *symbol);
  }
  return gone;
}

void* linked_library::target_of(const build& in, const exported_symbol& function) {
  using resolver = void* (*)();
  void* const at = reinterpret_cast<void*>(in.base + function.raw.st_value);
  return function.kind == symbol_kind::chosen ? reinterpret_cast<resolver>(at)() : at;
}

void* linked_library::newer_function(const char* name) {
  const standin_header& header = *where_.header;
  const std::lock_guard lock(mutex_);
  if (newest_ == nullptr) return nullptr;
  std::uint32_t slot = header.functions;
  for (const std::string& one : added_) {
    if (one == name) return header.stubs + std::size_t{slot} * stub_size;
    ++slot;
  }
  if (slot >= header.slots) return nullptr;
  const auto found = std::find_if(newest_->exported.begin(), newest_->exported.end(),
                                  [&](const auto& one) { return one.first.first == name && one.second.is_default(); });
  if (found == newest_->exported.end()) return nullptr;
  added_.emplace_back(name);
  // Every table that may still come into use gets it; what has no such function keeps the notice.
  for (const auto& one : builds_) {
    const exported_symbol* const symbol = function_of(slot, one->exported);
    if (symbol == nullptr || one->base == 0) continue;
    __atomic_store_n(one->table() + slot, target_of(*one, *symbol), __ATOMIC_RELEASE);
  }
  return header.stubs + std::size_t{slot} * stub_size;
}

}  // namespace autoreload::exec
