// SPDX-License-Identifier: MIT
// blind_spots: asks the kernel what kind of file system a path is on, and what is mounted there.
#include "reload/watch/blind_spots.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <system_error>

namespace autoreload {

std::optional<bool> hides_changes(const std::string& path) {
  // Those that linux/magic.h lacks are spelled out.
  constexpr std::array<long, 20> hiding{
      NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, V9FS_MAGIC, FUSE_SUPER_MAGIC,
      CODA_SUPER_MAGIC, AFS_SUPER_MAGIC, AFS_FS_MAGIC, CEPH_SUPER_MAGIC, OCFS2_SUPER_MAGIC, 0x01161970L /* GFS2 */,
      0x0bd00bd0L /* Lustre */, 0x47504653L /* GPFS */, 0x19830326L /* BeeGFS */, 0x20030528L /* OrangeFS */,
      0xaad7aaeaL /* PanFS */,
      // What a virtual machine's host shares with it.
      0x786f4256L /* VirtualBox */, 0xbacbacbcL /* VMware */, 0x7c7c6673L /* Parallels */};
  struct statfs system;
  if (statfs(path.c_str(), &system) != 0) return std::nullopt;
  return std::find(hiding.begin(), hiding.end(), static_cast<long>(system.f_type)) != hiding.end();
}

bool may_be_mounted(const std::string& file) {
  // musl before 1.2.5 has neither statx(2) nor its struct, of which two words are of interest here.
  struct {
    std::uint32_t mask, block_size;
    std::uint64_t attributes;
    std::array<std::uint64_t, 5> between;
    std::uint64_t known_attributes;
    std::array<std::uint64_t, 24> rest;
  } status{};
  static_assert(sizeof status == 256);
  constexpr std::uint64_t mount_root = 0x2000;
  constexpr int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (syscall(SYS_statx, AT_FDCWD, file.c_str(), flags, 0, &status) != 0) return false;
  return (status.known_attributes & mount_root) == 0 || (status.attributes & mount_root) != 0;
}

bool needs_polling(const std::string& path) {
  std::error_code ignored;
  for (std::filesystem::path at = std::filesystem::absolute(path, ignored); !at.empty(); at = at.parent_path()) {
    if (const std::optional<bool> hidden = hides_changes(at)) return *hidden;
    if (at == at.parent_path()) break;
  }
  return false;
}

}  // namespace autoreload
