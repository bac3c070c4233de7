// SPDX-License-Identifier: MIT
// trust: who may have written a library for this process to run it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include <autoreload/language.hpp>

namespace autoreload {

/// Which group may write to a library or to a directory on its way.
enum class group_write : std::uint8_t {
  never,          ///< none
  private_group,  ///< one that is, by custom, one person's own: see trust_policy::group_may_write
  any,            ///< every group
};

/// The rules a library must pass before a byte of it is read. A value: copy it, change its members.
///
/// Running a library means trusting everyone who can write it, or who can put another file under its name. The rules
/// look at the opened file (so that what was checked is what is loaded) and at every directory that its path leads
/// through, symbolic links included.
///
/// A file that is not a regular file is always refused, whatever the policy: reading a FIFO or a device may never end.
/// Thread-safety: as a std::vector.
struct trust_policy {
  /// Bytes; a larger file is refused. 0: no limit.
  std::uint64_t max_size = std::uint64_t{1} << 30;

  /// Owners of the file and of the directories must be root, the effective user, or one of those named by the next two.
  bool check_owner = true;
  /// Also trust whoever owns this program's executable or a directory above it: they can replace the program itself, so
  /// their library adds nothing. It suits root in a container that runs what it built inside a user's source tree, and
  /// changes nothing for a service whose executable belongs to root.
  bool trust_program_owners = true;
  /// Further user ids to trust.
  std::vector<uid_t> trusted_owners;

  /// private_group stands for: root's group, the effective group, or the group whose number is the owner's (the custom
  /// of systems that give each user a group and umask 002), and no access list that lets somebody else in.
  group_write group_may_write = group_write::private_group;
  /// Further group ids that may write.
  std::vector<gid_t> trusted_groups;
  /// Whether everybody may write. Some shared and foreign file systems show every file so.
  bool others_may_write = false;

  /// Apply the rules to the directories too. A directory with the sticky bit (such as /tmp) may be writable: there,
  /// nobody can replace what belongs to others.
  bool check_directories = true;
  /// Refuse a file on a noexec mount: dlopen would, and a copy in memory must not get around it.
  bool honour_noexec = true;
  /// Load libraries in a set-user-ID, set-group-ID or file-capability program too. No preset does.
  bool allow_set_user_id = false;

  /// The default: one's own machine, a container, or a service.
  [[nodiscard]] static trust_policy developer() { return {}; }
  /// Only root's and the effective user's files, which no group may write.
  [[nodiscard]] static trust_policy strict() {
    trust_policy policy;
    policy.trust_program_owners = false;
    policy.group_may_write = group_write::never;
    return policy;
  }
  /// Any regular file of any size, unless the program is a set-user-ID one.
  [[nodiscard]] static trust_policy none() {
    trust_policy policy;
    policy.max_size = 0;
    policy.check_owner = policy.check_directories = policy.honour_noexec = false;
    policy.group_may_write = group_write::any;
    policy.others_may_write = true;
    return policy;
  }
};

}  // namespace autoreload
