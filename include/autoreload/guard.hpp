// SPDX-License-Identifier: MIT
// guard: the seam where an ABI checker joins the pipeline; the core has none of its own and needs none.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/symbol.hpp>

namespace autoreload {

/// What a checker is asked.
struct guard_request {
  std::string_view path;                 ///< the library as the user named it
  int candidate;                         ///< descriptor of the new file's complete snapshot; read it with pread or mmap
  int running;                           ///< the running generation's snapshot, or -1 at the first load
  std::span<const symbol_info> symbols;  ///< what the API struct asks for
  std::string_view api_type;             ///< the API struct's C++ name, to find it in the host's own debug information
  /// options::state carries the running generation's variables into this one: a layout that only the library sees may
  /// change, as long as it can be carried.
  bool carries_state = false;
  /// The host is linked with the library, and was compiled for the build that `running` is of: there is no API struct.
  bool linked = false;
};

/// What a checker answers.
struct guard_verdict {
  bool refuse = false;                   ///< keep the running generation
  std::vector<std::string> differences;  ///< what would break a caller, one remark each
  std::vector<std::string> notes;        ///< what differs and can't break one, or why nothing could be seen
  std::string advice{};                  ///< what to do about a refusal; empty: the engine's own words
};

/// Compares a new library's ABI with the host's and the running generation's. Called between inspect and load, also
/// before the first load; never concurrently by one engine, possibly concurrently by several.
class AUTORELOAD_API abi_checker {
 public:
  virtual ~abi_checker() = default;
  /// Says whether callers of the running generation could call the new one. @param request  valid during the call only
  [[nodiscard]] virtual guard_verdict check(const guard_request& request) = 0;
};

}  // namespace autoreload
