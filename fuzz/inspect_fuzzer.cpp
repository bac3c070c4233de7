// SPDX-License-Identifier: MIT
// inspect_fuzzer: inspect() reads whatever bytes it is given, under the sanitizers, and its answers hold together.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "reload/inspect/inspect.hpp"

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

void examine(std::span<const std::byte> file, autoreload::elf_machine machine, autoreload::writing state) {
  const autoreload::inspection found = autoreload::inspect(file, machine, state);
  must(found.reason.empty() == (found.is == autoreload::verdict::sound));
  if (found.is != autoreload::verdict::sound) {
    must(found.facts.segments.empty() && found.warnings.empty());
    return;
  }
  // What the rest of the program relies on without looking again.
  must(!found.facts.segments.empty());
  for (const autoreload::load_segment& segment : found.facts.segments) {
    must(segment.offset <= file.size() && segment.file_size <= file.size() - segment.offset);
    must(segment.file_size <= segment.memory_size);
  }
  for (const std::string& name : found.facts.needed) must(!name.empty());
  (void)autoreload::exported_names(file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A block of its own at an odd address: every read beyond its end, and every aligned read of it, is seen.
  const std::unique_ptr<std::byte[]> copy(new std::byte[size + 1]);
  if (size != 0) std::memcpy(copy.get() + 1, data, size);
  const std::span<const std::byte> file(copy.get() + 1, size);
  for (const auto state : {autoreload::writing::may_go_on, autoreload::writing::is_over}) {
    examine(file, autoreload::elf_machine::x86_64, state);
    examine(file, autoreload::elf_machine::aarch64, state);
  }
  return 0;
}
