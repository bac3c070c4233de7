// SPDX-License-Identifier: MIT
// plain_symbols: the short way through the dynamic symbols, of which a large library has 10,000; private to
// reload/inspect/.
#pragma once

#include <algorithm>

#include "reload/inspect/passes.hpp"

namespace autoreload::inspecting {

/// The symbols as most of them are: functions that others may call, which the unwind table describes as they are. For
/// them all rules of symbols_are_inside() come to a few comparisons.
class plain_symbols {
 public:
  explicit plain_symbols(const image& lib)
      : lib_(lib), first_(lib.dynamic.has(DT_GNU_HASH) ? lib.first_hashed : 0), names_(lib.strings.size()) {}

  /// False says nothing: then the rules are asked one by one.
  [[nodiscard]] bool takes(std::size_t index, const Elf64_Sym& symbol) const noexcept {
    constexpr unsigned function = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), weak = ELF64_ST_INFO(STB_WEAK, STT_FUNC);
    if ((symbol.st_info != function && symbol.st_info != weak) || symbol.st_other != STV_DEFAULT) return false;
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE || index < first_) return false;
    if (symbol.st_name >= names_ || !known_.has(symbol.st_value, std::max<std::uint64_t>(symbol.st_size, 1))) {
      return false;
    }
    if (*lib_.strings.at(symbol.st_name) == 'd') return false;  // the loader's own functions begin so
    return lib_.describes(symbol.st_value, symbol.st_size);
  }

  /// Where the last symbol is that was asked about by the rules: the next is likely to be there, too.
  /// @param code     of a segment
  /// @param section  all of it if the library has none
  void last_was_in(const address_window& code, const address_window& section) noexcept {
    const std::uint64_t start = std::max(code.start, section.start);
    const std::uint64_t end = std::min(code.start + code.size, section.start + section.size);
    known_ = start < end ? address_window{start, end - start} : address_window{};
  }

 private:
  const image& lib_;
  const std::size_t first_;
  const std::uint64_t names_;
  address_window known_;
};

}  // namespace autoreload::inspecting
