// SPDX-License-Identifier: MIT
// diagnostics_fuzzer: what a build printed may be any bytes.
#include <autoreload/diagnostic.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rebuild/output.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view output(reinterpret_cast<const char*>(data), size);
  const std::vector<autoreload::diagnostic> all = autoreload::read_diagnostics(output);
  if (all.size() > 1000) std::abort();
  for (const autoreload::diagnostic& one : all) {
    if (one.rule.empty() || autoreload::to_string(one).empty()) std::abort();
  }
  (void)autoreload::first_error(all);
  // What is kept of an output is never much more than was asked for, and all of it when there is room.
  autoreload::building::bounded_output some(100);
  autoreload::building::bounded_output whole(2 * size + 2);
  for (std::size_t at = 0; at < size; at += 7) {
    some.add(output.substr(at, 7));
    whole.add(output.substr(at, 7));
  }
  if (some.text().size() > 200 || whole.text() != output) std::abort();
  return 0;
}
