// SPDX-License-Identifier: MIT
// trust: applies a trust_policy to an opened library.
#include "reload/trust/trust.hpp"

#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <vector>

namespace autoreload {
namespace {

constexpr int max_links = 40;  // as the kernel's own limit

std::string link_target(const std::string& path) {
  std::array<char, PATH_MAX> text{};
  const ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
  return size < 0 ? std::string{} : std::string(text.data(), static_cast<std::size_t>(size));
}

// Everyone who can replace the program: the owners of its executable and of the directories above it. Without /proc
// nobody.
std::vector<uid_t> find_program_owners() {
  std::vector<uid_t> owners;
  struct stat status {};
  if (::stat("/proc/self/exe", &status) == 0) owners.push_back(status.st_uid);
  std::string directory = link_target("/proc/self/exe");
  while (!directory.empty()) {
    directory.resize(directory.find_last_of('/') == std::string::npos ? 0 : directory.find_last_of('/'));
    if (::lstat(directory.empty() ? "/" : directory.c_str(), &status) == 0) owners.push_back(status.st_uid);
  }
  return owners;
}

const std::vector<uid_t>& program_owners() {
  static const std::vector<uid_t> owners = find_program_owners();
  return owners;
}

bool contains(const auto& list, auto value) { return std::find(list.begin(), list.end(), value) != list.end(); }

std::string mode_text(const struct stat& status) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(status.st_mode & 07777U));
  return text.data();
}

std::string kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISSOCK(mode)) return "a socket";
  return "something else";
}

class examination {
 public:
  examination(int file, const std::string& path, const trust_policy& policy)
      : file_(file), path_(path), policy_(policy), user_(::geteuid()), group_(::getegid()) {}

  result<void> run(bool way_is_known) {
    if (::getauxval(AT_SECURE) != 0 && !policy_.allow_set_user_id) {
      return refuse(
          "this program runs with more rights than its user has (set-user-ID, set-group-ID or file capabilities)",
          "load nothing in such a program, or set trust_policy::allow_set_user_id");
    }
    struct stat status {};
    if (::fstat(file_, &status) != 0)
      return refuse("its owner and mode can't be read", {}).system(std::strerror(errno));
    if (!S_ISREG(status.st_mode)) {
      return refuse("it is " + kind_of(status.st_mode) + ", not a regular file", "give the path of the library itself");
    }
    if (policy_.max_size != 0 && static_cast<std::uint64_t>(status.st_size) > policy_.max_size) {
      return refuse("it has " + std::to_string(status.st_size) + " bytes, more than the limit of " +
                        std::to_string(policy_.max_size),
                    "raise trust_policy::max_size (bytes; 0 is no limit)");
    }
    if (policy_.honour_noexec) {
      struct statvfs mount {};
      if (::fstatvfs(file_, &mount) == 0 && (mount.f_flag & ST_NOEXEC) != 0) {
        return refuse(
            "it is on a file system mounted noexec",
            "build it elsewhere, or mount with exec and build it again, or unset trust_policy::honour_noexec");
      }
    }
    if (auto judged = judge(path_, status, file_); !judged) return judged;
    return policy_.check_directories && !way_is_known ? walk(status) : result<void>{};
  }

 private:
  error refuse(std::string reason, std::string advice) const {
    return error(stage::snapshot, path_, std::move(reason)).advise(std::move(advice));
  }

  bool trusts_owner(uid_t owner) const {
    return !policy_.check_owner || owner == 0 || owner == user_ || contains(policy_.trusted_owners, owner) ||
           (policy_.trust_program_owners && contains(program_owners(), owner));
  }

  // With an access list the group bits are only its mask: people whom the mode does not name may write.
  bool has_access_list(int file, const std::string& path) const {
    constexpr const char* name = "system.posix_acl_access";
    return (file >= 0 ? ::fgetxattr(file, name, nullptr, 0) : ::lgetxattr(path.c_str(), name, nullptr, 0)) > 0;
  }

  bool trusts_group(const struct stat& status) const {
    if (contains(policy_.trusted_groups, status.st_gid)) return true;
    return policy_.group_may_write == group_write::private_group &&
           (status.st_gid == 0 || status.st_gid == group_ || status.st_gid == status.st_uid);
  }

  // The rules that files and directories share. `file` is -1 when only the path is at hand.
  result<void> judge(const std::string& path, const struct stat& status, int file) const {
    const auto subject = [&] { return S_ISDIR(status.st_mode) ? "its directory \"" + path + "\"" : std::string("it"); };
    if (!trusts_owner(status.st_uid)) {
      return refuse(subject() + " belongs to user " + std::to_string(status.st_uid) +
                        ", who is neither root nor user " + std::to_string(user_) + ", who runs this program",
                    "chown \"" + path + "\", or add " + std::to_string(status.st_uid) +
                        " to trust_policy::trusted_owners, or unset trust_policy::check_owner");
    }
    if (S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0) return {};
    if ((status.st_mode & S_IWOTH) != 0 && !policy_.others_may_write) {
      return refuse("everybody may write to " + subject() + " (mode " + mode_text(status) + ")",
                    "chmod o-w \"" + path + "\", or set trust_policy::others_may_write");
    }
    if ((status.st_mode & S_IWGRP) == 0 || policy_.group_may_write == group_write::any) return {};
    const auto change = [&] { return "chmod g-w \"" + path + "\", or "; };
    if (!trusts_group(status)) {
      return refuse(
          "group " + std::to_string(status.st_gid) + " may write to " + subject() + " (mode " + mode_text(status) + ")",
          change() + "add " + std::to_string(status.st_gid) +
              " to trust_policy::trusted_groups, or set trust_policy::group_may_write to group_write::any");
    }
    if (has_access_list(file, path)) {
      return refuse("an access list lets more than its owner write to " + subject(),
                    change() + "setfacl -b \"" + path + "\", or set trust_policy::group_may_write to group_write::any");
    }
    return {};
  }

  // Looks at one directory and remembers whether others may add entries to it.
  result<void> enter(const std::string& directory, const struct stat& status) {
    open_to_others_ = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    return judge(directory, status, -1);
  }
  result<void> enter(const std::string& directory) {
    struct stat status {};
    const std::string name = directory.empty() ? "/" : directory;
    if (::lstat(name.c_str(), &status) != 0) return refuse(std::string(replaced_meanwhile), {});
    return enter(name, status);
  }

  // Follows the path as the kernel does, one name at a time, and looks at every directory that a name is looked up in:
  // who can write there can lead the path elsewhere. Each prefix was judged before it is used, so nobody untrusted can
  // change it under the walk.
  result<void> walk(const struct stat& file) {
    std::string rest = path_;
    if (path_.empty() || path_.front() != '/') {
      std::array<char, PATH_MAX> here{};
      if (::getcwd(here.data(), here.size()) == nullptr) {
        return refuse("the working directory has no path", "give an absolute path").system(std::strerror(errno));
      }
      rest = std::string(here.data()) + "/" + path_;
    }
    std::string at;  // the directory reached, without links; empty is the root
    int links = 0;
    if (auto judged = enter(at); !judged) return judged;
    while (true) {
      const std::size_t start = std::min(rest.find_first_not_of('/'), rest.size());
      const std::size_t end = std::min(rest.find('/', start), rest.size());
      const std::string name = rest.substr(start, end - start);
      rest.erase(0, end);
      if (name.empty()) return refuse(std::string(replaced_meanwhile), {});  // it became a directory
      if (name == ".") continue;
      if (name == "..") {
        at.resize(at.find_last_of('/') == std::string::npos ? 0 : at.find_last_of('/'));
        if (auto judged = enter(at); !judged) return judged;
        continue;
      }
      const std::size_t directory = at.size();
      at.append("/").append(name);
      struct stat status {};
      if (::lstat(at.c_str(), &status) != 0) return refuse(std::string(replaced_meanwhile), {});
      if (S_ISLNK(status.st_mode)) {
        if (open_to_others_ && !trusts_owner(status.st_uid)) {
          return refuse("the link \"" + at + "\" on its way belongs to user " + std::to_string(status.st_uid),
                        "give the path without the link, or add " + std::to_string(status.st_uid) +
                            " to trust_policy::trusted_owners");
        }
        const std::string target = link_target(at);
        if (target.empty() || ++links > max_links) return refuse(std::string(replaced_meanwhile), {});
        at.resize(directory);
        if (target.front() == '/') {
          at.clear();
          if (auto judged = enter(at); !judged) return judged;
        }
        rest = target + rest;
      } else if (S_ISDIR(status.st_mode)) {
        if (auto judged = enter(at, status); !judged) return judged;
      } else {
        const bool same = status.st_dev == file.st_dev && status.st_ino == file.st_ino;
        return same ? result<void>{} : refuse(std::string(replaced_meanwhile), {});
      }
    }
  }

  int file_;
  const std::string& path_;
  const trust_policy& policy_;
  uid_t user_;
  gid_t group_;
  bool open_to_others_ = false;
};

}  // namespace

result<void> check_trust(int file, const std::string& path, const trust_policy& policy, bool way_is_known) {
  return examination(file, path, policy).run(way_is_known);
}

}  // namespace autoreload
