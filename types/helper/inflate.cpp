// SPDX-License-Identifier: MIT
// inflate: replaces a packed section's data and takes the mark "packed" from its header, so that libdw sees it plain.
#include "types/helper/inflate.hpp"

#include <gelf.h>

#include <algorithm>
#include <new>
#include <string_view>

#ifdef AUTORELOAD_WITH_ZSTD
#include <zstd.h>
#endif

namespace autoreload::types {

namespace {

constexpr GElf_Word packed_by_zlib = 1;
constexpr GElf_Word packed_by_zstd = 2;  // ELFCOMPRESS_ZSTD: older headers have no name for it
// A damaged header may name any size. Debug information becomes three times smaller, perhaps ten times.
constexpr GElf_Xword most_that_a_byte_unpacks_to = 4096;

// @return why not, or nothing
std::string unpack([[maybe_unused]] const Elf_Data& packed, [[maybe_unused]] std::size_t header,
                   [[maybe_unused]] char* into, [[maybe_unused]] std::size_t size) {
#ifdef AUTORELOAD_WITH_ZSTD
  const auto* const bytes = static_cast<const char*>(packed.d_buf) + header;
  const std::size_t got = ZSTD_decompress(into, size, bytes, packed.d_size - header);
  return got == size ? "" : "is compressed with zstd and damaged";
#else
  return "is compressed with zstd, which this copy was built without (libzstd-dev): link the library with "
         "-Wl,--compress-debug-sections=zlib";
#endif
}

}  // namespace

std::vector<std::unique_ptr<char[]>> inflate_sections(Elf* elf, std::vector<std::string>& problems) {
  std::vector<std::unique_ptr<char[]>> made;
  std::size_t names = 0;
  if (elf == nullptr || elf_getshdrstrndx(elf, &names) != 0) return made;
  const auto refuse = [&](const std::string& why) {
    const std::string text = "its debug information " + why;
    if (std::ranges::find(problems, text) == problems.end()) problems.push_back(text);
  };
  for (Elf_Scn* s = elf_nextscn(elf, nullptr); s != nullptr; s = elf_nextscn(elf, s)) {
    GElf_Shdr header;
    GElf_Chdr packing;
    if (gelf_getshdr(s, &header) == nullptr || (header.sh_flags & SHF_COMPRESSED) == 0) continue;
    const char* const name = elf_strptr(elf, names, header.sh_name);
    if (name == nullptr || !std::string_view(name).starts_with(".debug_")) continue;
    if (gelf_getchdr(s, &packing) == nullptr || packing.ch_type == packed_by_zlib) continue;
    if (packing.ch_type != packed_by_zstd) {
      refuse("is compressed in a way that is not known here (" + std::to_string(packing.ch_type) + ")");
      continue;
    }
    Elf_Data* const data = elf_getdata(s, nullptr);
    const std::size_t own = gelf_fsize(elf, ELF_T_CHDR, 1, EV_CURRENT);
    if (data == nullptr || data->d_buf == nullptr || data->d_size < own) continue;
    if (packing.ch_size / most_that_a_byte_unpacks_to > data->d_size) {
      refuse("is compressed and damaged");
      continue;
    }
    std::unique_ptr<char[]> plain(new (std::nothrow) char[packing.ch_size]);
    const std::string why = plain ? unpack(*data, own, plain.get(), packing.ch_size) : "is too large to unpack";
    if (!why.empty()) {
      refuse(why);
      continue;
    }
    data->d_buf = plain.get();
    data->d_size = packing.ch_size;
    data->d_type = ELF_T_BYTE;
    made.push_back(std::move(plain));
    header.sh_flags &= ~GElf_Xword{SHF_COMPRESSED};
    header.sh_size = packing.ch_size;
    gelf_update_shdr(s, &header);
  }
  return made;
}

}  // namespace autoreload::types
