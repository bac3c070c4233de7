// SPDX-License-Identifier: MIT
// debug_file: reads files whole, unpacks sections, follows the links to separate debug files.
#include "rebuild/debug_file.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>

#include "elf/line_table.hpp"
#include "system/hexadecimal.hpp"
#include "system/unique_fd.hpp"

namespace autoreload::building {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t packed_by_zlib = 1;
constexpr std::uint64_t packed_by_zstd = 2;                        // older headers have no name for it
constexpr std::uint64_t largest_section = std::uint64_t{1} << 30;  // bytes: more is a damaged header
constexpr std::uint64_t most_packed = 2'000;                       // times: so is more of its packed size

// The libraries are loaded when a packed section is met: whoever packs debug information has them, nobody else needs
// them. They stay loaded.
bool unpack_by_zlib(file_bytes packed, std::vector<std::byte>& into) {
  using function = int (*)(unsigned char*, unsigned long*, const unsigned char*, unsigned long);
  static void* const library = ::dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
  static const auto uncompress =
      library == nullptr ? nullptr : reinterpret_cast<function>(::dlsym(library, "uncompress"));
  unsigned long size = into.size();
  return uncompress != nullptr &&
         uncompress(reinterpret_cast<unsigned char*>(into.data()), &size,
                    reinterpret_cast<const unsigned char*>(packed.data()), packed.size()) == 0 &&
         size == into.size();
}

bool unpack_by_zstd(file_bytes packed, std::vector<std::byte>& into) {
  using function = std::size_t (*)(void*, std::size_t, const void*, std::size_t);
  static void* const library = ::dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
  static const auto decompress =
      library == nullptr ? nullptr : reinterpret_cast<function>(::dlsym(library, "ZSTD_decompress"));
  return decompress != nullptr && decompress(into.data(), into.size(), packed.data(), packed.size()) == into.size();
}

std::vector<std::byte> read_bytes(const fs::path& path) {
  const unique_fd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  // Read, not mapped: a linker may cut the file at any moment.
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t size = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (size <= 0) break;
    done += static_cast<std::size_t>(size);
  }
  bytes.resize(done);
  return bytes;
}

// In hexadecimal digits; empty when there is none.
std::string build_id(debug_file& of) {
  byte_reader notes(of.section(".note.gnu.build-id"));
  const std::uint64_t name = notes.number(4);
  const std::uint64_t size = notes.number(4);
  if (notes.number(4) != NT_GNU_BUILD_ID || name != 4) return {};
  notes.take(4);
  return hexadecimal(notes.take(size));
}

}  // namespace

file_bytes debug_file::unpack(file_bytes packed, std::uint64_t kind, std::uint64_t size, const std::string& name) {
  if (size > largest_section || size / most_packed > packed.size()) {
    problem_ = name + " is damaged";
    return {};
  }
  std::vector<std::byte> plain(static_cast<std::size_t>(size));
  const bool done = kind == packed_by_zlib   ? unpack_by_zlib(packed, plain)
                    : kind == packed_by_zstd ? unpack_by_zstd(packed, plain)
                                             : false;
  if (!done) {
    problem_ = name + " is compressed, and could not be unpacked by " +
               (kind == packed_by_zlib   ? "libz.so.1"
                : kind == packed_by_zstd ? "libzstd.so.1"
                                         : "any method that is known here");
    return {};
  }
  return unpacked_[name] = std::move(plain);
}

file_bytes debug_file::section(const std::string& name) {
  if (const auto known = unpacked_.find(name); known != unpacked_.end()) return known->second;
  Elf64_Shdr found;
  if (sections_.find(name, found)) {
    if ((found.sh_flags & SHF_COMPRESSED) == 0) return sections_.content(found);
    const file_bytes whole = part_of(bytes_, found.sh_offset, found.sh_size);
    Elf64_Chdr header;
    if (!read_record(whole, 0, header)) return {};
    return unpack(whole.subspan(sizeof header), header.ch_type, header.ch_size, name);
  }
  // As it was done before 2015, and still is by -gz=zlib-gnu: `ZLIB`, and the size with its highest byte first.
  if (!name.starts_with(".debug_") || !sections_.find(".z" + name.substr(1), found)) return {};
  byte_reader old(sections_.content(found));
  if (old.number(4) != 0x42494c5a) return {};
  std::uint64_t size = 0;
  for (int i = 0; i < 8; ++i) size = size << 8 | old.byte();
  return unpack(old.rest(), packed_by_zlib, size, name);
}

debug_file read_elf_file(const std::string& path) { return debug_file(read_bytes(path)); }

debug_file find_debug_file(const std::string& library) {
  debug_file own(read_bytes(library));
  Elf64_Shdr ignored;
  if (own.sections().find(".debug_info", ignored) || own.sections().find(".zdebug_info", ignored)) return own;
  std::error_code problem;
  const fs::path directory = fs::weakly_canonical(library, problem).parent_path();
  const std::string id = build_id(own);
  std::vector<fs::path> places;
  if (const std::string link(string_at(own.section(".gnu_debuglink"), 0)); !link.empty()) {
    places = {directory / link, directory / ".debug" / link, fs::path("/usr/lib/debug" + directory.string()) / link};
  }
  if (id.size() > 2) places.push_back("/usr/lib/debug/.build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug");
  for (const fs::path& place : places) {
    debug_file separate(read_bytes(place));
    if (separate.sections().find(".debug_info", ignored) && build_id(separate) == id) return separate;
  }
  return own;
}

}  // namespace autoreload::building
