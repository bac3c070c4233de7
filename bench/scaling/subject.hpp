// SPDX-License-Identifier: MIT
// subject: a real library of a wanted size, in two versions, made by the real compiler and linker.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "../harness/directory.hpp"

namespace bench {

/// What a library is to have beyond the 16 KB that every small one has. A value.
struct recipe {
  std::uint64_t loaded = 0;   ///< bytes of code (with unwind tables) and constants, half and half
  std::uint64_t debug = 0;    ///< bytes of debug information, which the loader doesn't map
  unsigned functions = 1;     ///< exported functions
  unsigned relocations = 0;   ///< pointers to its own data, which the loader adjusts
  unsigned bindings = 0;      ///< pointers to functions of another library, each of a name of its own
  unsigned dependencies = 0;  ///< libraries that it needs

  bool operator==(const recipe&) const = default;
};

/// A library in two versions, which differ in what `int value(void)` returns: value_of(0) or value_of(1). Not
/// thread-safe.
class subject {
 public:
  /// Compiles and links. @throws std::runtime_error with what the compiler said
  explicit subject(const recipe& wanted);

  /// Where a version would be put for the engine to find it; does not exist until put().
  [[nodiscard]] std::string path() const { return directory_ / "lib/libsubject.so"; }
  /// Makes a version ready under a name beside path(): a file of its own, as a linker makes one, written out already
  /// where the file system would otherwise do that while it is renamed.
  void stage(int version) const;
  /// Moves the version that was staged to path() at once, as lld, mold and rsync finish a file.
  void put() const;
  /// Copies a version. For many libraries of one kind.
  void copy(int version, const std::string& to) const;

  /// The file that a version is kept in.
  [[nodiscard]] std::string file(int version) const;
  [[nodiscard]] std::uint64_t file_size() const;
  /// Where subjects are made from now on. Without it: in memory if there is room, or in TMPDIR.
  static void make_in(const std::string& parent);
  /// The type of the file system that subjects are made on.
  [[nodiscard]] static std::string file_system();
  [[nodiscard]] static constexpr int value_of(int version) { return 1000 + version; }

 private:
  struct closes {
    void operator()(std::FILE* one) const noexcept { std::fclose(one); }
  };

  directory directory_;
  // The file that put() replaces, open: the system frees its memory at the next stage(), which nobody measures, and not
  // in the rename.
  mutable std::unique_ptr<std::FILE, closes> replaced_;
};

}  // namespace bench
