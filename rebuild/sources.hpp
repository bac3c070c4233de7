// SPDX-License-Identifier: MIT
// sources: which files are watched, and which of them were really changed.
//
// A source may have ten megabytes (SQLite's), and the build waits for the answer. So a file is compared by pieces: the
// one that was edited last comes first, and a difference is an answer. The rest is read when the build has begun.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace autoreload::building {

/// Which files out of `names` are the user's: those that exist, without what lies under the system's directories (/usr
/// but for /usr/src and /usr/local/src, /lib, /opt …).
struct file_choice {
  std::vector<std::string> names;  ///< absolute, or relative to the first of the directories in which the file is there
  std::vector<std::string> directories;  ///< absolute
  std::vector<std::string> products;     ///< files that a build makes, which are left out; names like the others
  std::string build_directory;           ///< its files are left out, unless all are in it; or empty
};
/// @return absolute, without `.` and `..`, links kept; sorted, each once
[[nodiscard]] std::vector<std::string> users_files(const file_choice& from);

/// Remembers what was in each file when a build last started.
class source_states {
 public:
  /// Takes these files from now on; what is known of one that stays is kept. A new one counts as unchanged, unless it
  /// was written since the last build started.
  /// @param since  when that was (CLOCK_REALTIME)
  void watch(const std::vector<std::string>& files, timespec since);
  /// The files whose content differs from what it was at the last accept(). Reads only those whose times or size
  /// differ from the last look. A file that is missing for the moment is not counted: an editor is about to put it
  /// back.
  [[nodiscard]] std::vector<std::string> changed();
  /// The files that were written since the last call, whatever their content.
  [[nodiscard]] const std::vector<std::string>& touched() const noexcept { return touched_; }
  /// What was there at the last changed() is what the next build is made from. complete() is to follow.
  void accept();
  /// Reads what changed() could do without, once nobody waits for it. A file that was written since is not taken for
  /// what the build is made from: the next changed() names it.
  void complete();
  /// Sets a file's time to now when a build could take it for older than what was made from it before it was saved:
  /// the time of a file has steps of some milliseconds. Its content stays.
  /// @param from, to  a build that ran while it was saved (CLOCK_REALTIME)
  void make_newer_than(const std::vector<std::string>& files, timespec from, timespec to);
  /// As if nothing was built from any file yet.
  void forget() noexcept { forgotten_ = true; }

 private:
  struct state {
    struct stat look {};                 // at the last look
    std::vector<std::uint64_t> content;  // then, a sum for each piece; none if it differs and was not read to the end
    std::vector<std::uint64_t> built;    // of what was accepted
    std::size_t edited = 0;              // the piece in which they differed last
    bool known = false;
  };
  enum class reading { until_it_differs, all };
  static bool look(const std::string& path, state& into, reading how);

  std::map<std::string, state> files_;
  std::vector<std::string> touched_;
  bool forgotten_ = false;
};

}  // namespace autoreload::building
