// SPDX-License-Identifier: MIT
// copy_in_file: a file that nobody else can reach, in a temporary directory.
#include <fcntl.h>
#include <sys/statvfs.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "reload/load/loaded.hpp"
#include "reload/snapshot/copy_place.hpp"
#include "reload/trust/trust.hpp"

namespace autoreload {
namespace {

// A file that has no name from the start, or none any more.
unique_fd new_unnamed(const std::string& directory) {
  unique_fd file(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600));
  if (file) return file;
  std::string name = directory + "/autoreload-XXXXXX";  // not every file system has the former
  file = unique_fd(mkostemp(name.data(), O_CLOEXEC));
  if (file) unlink(name.c_str());
  return file;
}

// The loader opens the name after it was made: in between nobody else may lead it to another file.
bool new_named(const std::string& directory, copy_file& made) {
  std::string name = directory + "/autoreload-XXXXXX";
  made.file = unique_fd(mkostemp(name.data(), O_CLOEXEC));
  if (!made.file) return false;
  made.name = temporary_name(name);
  made.load_path = name;
  trust_policy strictly = trust_policy::strict();
  strictly.allow_set_user_id = true;  // the library's own policy has decided about that
  const result<void> safe = check_trust(made.file.get(), name, strictly);
  if (!safe) errno = EACCES;
  return static_cast<bool>(safe);
}

}  // namespace

result<copy_file> copy_in_file(const std::string& path) {
  int reason = 0;
  const std::array<const char*, 5> directories{secure_getenv("XDG_RUNTIME_DIR"), secure_getenv("TMPDIR"), "/dev/shm",
                                               "/tmp", "/var/tmp"};
  for (const char* const directory : directories) {
    struct statvfs system;
    if (directory == nullptr || statvfs(directory, &system) != 0 || (system.f_flag & (ST_NOEXEC | ST_RDONLY)) != 0)
      continue;
    copy_file made;
    made.file = new_unnamed(directory);
    if (made.file) made.load_path = descriptor_path(made.file.get());
    while (!made.load_path.empty() && is_loaded(made.load_path)) {  // see copy_in_memory
      made.file = unique_fd(fcntl(made.file.get(), F_DUPFD_CLOEXEC, made.file.get() + 1));
      made.load_path = made.file ? descriptor_path(made.file.get()) : std::string();
    }
    if (!made.load_path.empty()) return made;
    copy_file named;
    if (made.file && new_named(directory, named)) return named;
    reason = errno;
  }
  return error(stage::snapshot, path, "no place for a private copy: neither memfd with /proc nor a temporary directory")
      .system(reason == 0 ? std::string() : std::generic_category().message(reason))
      .advise(
          "mount /proc, or point TMPDIR to a directory of yours that is writable, not mounted noexec, and writable for "
          "nobody else");
}

}  // namespace autoreload
