// SPDX-License-Identifier: MIT
// directory: a temporary directory, and files that arrive in it the way a linker delivers them.
#pragma once

#include <string>
#include <vector>

namespace bench {

/// A directory that is empty, nobody else's, and gone at the end.
class directory {
 public:
  enum class on {
    disk,    ///< in TMPDIR, or /tmp
    memory,  ///< in /dev/shm, where a rename costs no more than its system call; as disk where that is no place for
             ///< code
  };

  explicit directory(on where = on::disk);
  /// @param parent  where it is to be made
  explicit directory(const std::string& parent);
  directory(const directory&) = delete;
  directory& operator=(const directory&) = delete;
  ~directory();

  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// The file system's type, for people: "tmpfs", "ext4", or its number.
  [[nodiscard]] std::string file_system() const;

 private:
  std::string path_;
};

using bytes = std::vector<char>;

/// @throws std::runtime_error, as all of these do
[[nodiscard]] bytes read_file(const std::string& path);
void write_file(const std::string& path, const bytes& content);

/// A new file that complete() puts into its place by rename(2), as lld and mold do.
class delivery {
 public:
  /// @param path     its place
  /// @param staging  where it is made: on the same file system, and nowhere that anybody watches
  delivery(std::string path, const directory& staging, const bytes& content);
  void complete() const;

 private:
  std::string path_;
  std::string temporary_;
};

/// A new file at `path` itself that is whole when complete() closes it, as ld.bfd and gold do.
class written_in_place {
 public:
  written_in_place(const std::string& path, const bytes& content);
  written_in_place(const written_in_place&) = delete;
  written_in_place& operator=(const written_in_place&) = delete;
  ~written_in_place() { complete(); }
  void complete();

 private:
  int file_;
};

}  // namespace bench
