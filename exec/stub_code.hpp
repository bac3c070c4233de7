// SPDX-License-Identifier: MIT
// stub_code: the machine code of a stand-in's functions, for x86-64.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "exec/standin_format.hpp"

namespace autoreload::exec {

/// Where the code lies that is written, and what it leads to: addresses in the stand-in.
struct stub_places {
  std::uint64_t header;
  std::uint64_t at;  ///< of this stub
};

namespace detail {

// An instruction with the distance from its end to an address as its last four bytes.
inline void append_relative(std::string& code, const char* instruction, std::size_t size, std::uint64_t at,
                            std::uint64_t to) {
  code.append(instruction, size);
  const auto distance = static_cast<std::int32_t>(static_cast<std::int64_t>(to - (at + code.size() + 4)));
  code.append(reinterpret_cast<const char*>(&distance), sizeof distance);
}

inline void append_number(std::string& code, const char* instruction, std::size_t size, std::uint32_t number) {
  code.append(instruction, size);
  code.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace detail

/// Where in a call stub its jump is.
inline constexpr std::size_t call_stub_jump = 11;

/// `endbr64; mov table(%rip), %r11; jmp *slot(%r11)`. r11 is nobody's between a call and the callee's first
/// instruction: procedure linkage tables use it, too.
[[nodiscard]] inline std::string call_stub(const stub_places& here, std::uint32_t slot) {
  std::string code("\xf3\x0f\x1e\xfa", 4);
  detail::append_relative(code, "\x4c\x8b\x1d", 3, here.at, here.header + offsetof(standin_header, table));
  detail::append_number(code, "\x41\xff\xa3", 3, slot * std::uint32_t{sizeof(void*)});
  code.resize(stub_size, '\xcc');
  return code;
}

/// `endbr64; lea header(%rip), %r10; mov $slot, %r11d; jmp *notice(%rip)`
[[nodiscard]] inline std::string notice_stub(const stub_places& here, std::uint32_t slot) {
  std::string code("\xf3\x0f\x1e\xfa", 4);
  detail::append_relative(code, "\x4c\x8d\x15", 3, here.at, here.header);
  detail::append_number(code, "\x41\xbb", 2, slot);
  detail::append_relative(code, "\xff\x25", 2, here.at, here.header + offsetof(standin_header, notice));
  code.resize(stub_size, '\xcc');
  return code;
}

}  // namespace autoreload::exec
