// SPDX-License-Identifier: MIT
// trust_test: files and directories of many owners and modes, links, FIFOs and mounts, and what the policy says to
// them.
//
// Owners other than one's own can only be made by root; those tests say so when they are skipped.
#include "reload/trust/trust.hpp"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "safety_support.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {
namespace {

namespace fs = std::filesystem;
using test::ending;
using test::in_child;

constexpr uid_t alice = 54321;
constexpr uid_t mallory = 54322;

unique_fd open_file(const std::string& path) {
  return unique_fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

result<void> check(const std::string& path, const trust_policy& policy = {}) {
  return check_trust(open_file(path).get(), path, policy);
}

std::string verdict(const std::string& path, const trust_policy& policy = {}) {
  const auto checked = check(path, policy);
  return checked ? "trusted" : checked.error().reason();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void become(uid_t user) {
  ASSERT_EQ(::setgroups(0, nullptr), 0);
  ASSERT_EQ(::setresgid(user, user, user), 0);
  ASSERT_EQ(::setresuid(user, user, user), 0);
}

// A directory with one library, both of the user who runs the test.
class trust : public ::testing::Test {
 protected:
  trust() {
    ::umask(022);
    fs::create_directories(directory_ / "build");
    test::write_file(library_, "bytes");
  }
  // The owner is part of every test that calls it, so that it holds for root too.
  static void own(const std::string& path, uid_t owner) { ASSERT_EQ(::lchown(path.c_str(), owner, owner), 0); }

  test::temporary_directory directory_;
  const std::string library_ = directory_ / "build/libfoo.so";
};

#define NEEDS_ROOT() \
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make files of other owners"

TEST_F(trust, accepts_what_one_builds_at_home_or_in_the_temporary_directory) {
  EXPECT_EQ(verdict(library_), "trusted");
  EXPECT_EQ(verdict(library_, trust_policy::none()), "trusted");
  trust_policy strict = trust_policy::strict();
  EXPECT_EQ(verdict(library_, strict), "trusted");
}

TEST_F(trust, accepts_a_relative_path) {
  const ending how = in_child([&] {
    fs::current_path(directory_.path());
    EXPECT_EQ(verdict("build/libfoo.so"), "trusted");
    EXPECT_EQ(verdict("./build/../build//libfoo.so"), "trusted");
    fs::permissions(directory_ / "build", fs::perms::others_write, fs::perm_options::add);
    EXPECT_TRUE(contains(verdict("build/libfoo.so"), "everybody may write to its directory"));
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST_F(trust, refuses_what_is_no_regular_file_whatever_the_policy) {
  ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0644), 0);
  for (const trust_policy& policy : {trust_policy{}, trust_policy::strict(), trust_policy::none()}) {
    EXPECT_EQ(verdict(directory_ / "fifo", policy), "it is a FIFO, not a regular file");
    EXPECT_EQ(verdict(directory_ / "build", policy), "it is a directory, not a regular file");
    EXPECT_EQ(verdict("/dev/null", policy), "it is a device, not a regular file");
  }
}

TEST_F(trust, refuses_a_huge_file_before_it_is_read) {
  fs::resize_file(library_, (std::uintmax_t{1} << 30) + 1);  // a hole: takes no room
  const auto checked = check(library_);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().at(), stage::snapshot);
  EXPECT_EQ(checked.error().reason(), "it has 1073741825 bytes, more than the limit of 1073741824");
  EXPECT_TRUE(contains(checked.error().advice(), "trust_policy::max_size"));
  trust_policy wider;
  wider.max_size = 0;
  EXPECT_EQ(verdict(library_, wider), "trusted");
}

TEST_F(trust, refuses_a_file_or_a_directory_that_everybody_may_write) {
  trust_policy lenient;
  lenient.others_may_write = true;
  trust_policy file_only;
  file_only.check_directories = false;

  fs::permissions(library_, fs::perms::others_write, fs::perm_options::add);
  const auto checked = check(library_);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().reason(), "everybody may write to it (mode 0646)");
  EXPECT_TRUE(contains(checked.error().advice(), "chmod o-w \"" + library_ + "\""));
  EXPECT_TRUE(contains(checked.error().advice(), "trust_policy::others_may_write"));
  EXPECT_EQ(verdict(library_, lenient), "trusted");
  EXPECT_EQ(verdict(library_, file_only), "everybody may write to it (mode 0646)");

  fs::permissions(library_, fs::perms::others_write, fs::perm_options::remove);
  fs::permissions(directory_ / "build", fs::perms::others_write, fs::perm_options::add);
  EXPECT_EQ(verdict(library_), "everybody may write to its directory \"" + (directory_ / "build") + "\" (mode 0757)");
  EXPECT_EQ(verdict(library_, lenient), "trusted");
  EXPECT_EQ(verdict(library_, file_only), "trusted");
}

TEST_F(trust, looks_at_every_directory_above_the_file) {
  fs::create_directories(directory_ / "a/b/c/d");
  const std::string deep = directory_ / "a/b/c/d/libfoo.so";
  test::write_file(deep, "bytes");
  for (const char* const part : {"a", "a/b", "a/b/c", "a/b/c/d"}) {
    EXPECT_EQ(verdict(deep), "trusted");
    fs::permissions(directory_ / part, fs::perms::others_write, fs::perm_options::add);
    EXPECT_TRUE(contains(verdict(deep), "its directory \"" + (directory_ / part) + "\"")) << verdict(deep);
    fs::permissions(directory_ / part, fs::perms::others_write, fs::perm_options::remove);
  }
}

TEST_F(trust, accepts_a_shared_directory_with_the_sticky_bit) {
  fs::permissions(directory_ / "build", fs::perms::all | fs::perms::sticky_bit, fs::perm_options::replace);
  EXPECT_EQ(verdict(library_), "trusted");
  EXPECT_EQ(verdict(library_, trust_policy::strict()), "trusted");
}

TEST_F(trust, accepts_the_private_group_of_umask_002_but_not_when_strict) {
  fs::permissions(library_, fs::perms::group_write, fs::perm_options::add);
  fs::permissions(directory_ / "build", fs::perms::group_write, fs::perm_options::add);
  EXPECT_EQ(verdict(library_), "trusted");
  const auto checked = check(library_, trust_policy::strict());
  ASSERT_FALSE(checked);
  EXPECT_TRUE(contains(checked.error().reason(), "may write to it (mode 0664)"));
  EXPECT_TRUE(contains(checked.error().advice(), "trust_policy::trusted_groups"));
  trust_policy strict = trust_policy::strict();
  strict.trusted_groups = {::getegid()};
  EXPECT_EQ(verdict(library_, strict), "trusted");
  strict.trusted_groups = {};
  strict.group_may_write = group_write::any;
  EXPECT_EQ(verdict(library_, strict), "trusted");
}

TEST_F(trust, refuses_a_shared_group) {
  NEEDS_ROOT();
  ASSERT_EQ(::chown(library_.c_str(), 0, mallory), 0);
  fs::permissions(library_, fs::perms::group_write, fs::perm_options::add);
  EXPECT_EQ(verdict(library_), "group 54322 may write to it (mode 0664)");
  trust_policy team;
  team.trusted_groups = {mallory};
  EXPECT_EQ(verdict(library_, team), "trusted");
}

TEST_F(trust, sees_an_access_list_behind_a_private_group) {
  struct entry {
    std::uint16_t tag, permissions;
    std::uint32_t id;
  };
  struct {
    std::uint32_t version = 2;
    std::array<entry, 5> entries;
  } list{2, {{{0x01, 6, ~0U}, {0x02, 6, mallory}, {0x04, 4, ~0U}, {0x10, 6, ~0U}, {0x20, 4, ~0U}}}};
  static_assert(sizeof list == 44);
  if (::setxattr(library_.c_str(), "system.posix_acl_access", &list, sizeof list, 0) != 0) {
    GTEST_SKIP() << "this file system has no access lists: " << std::strerror(errno);
  }
  EXPECT_EQ(verdict(library_), "an access list lets more than its owner write to it");
}

TEST_F(trust, refuses_anothers_file_and_names_the_option) {
  NEEDS_ROOT();
  own(library_, mallory);
  const auto checked = check(library_);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().reason(),
            "it belongs to user 54322, who is neither root nor user 0, who runs this program");
  EXPECT_TRUE(contains(checked.error().advice(), "add 54322 to trust_policy::trusted_owners"));
  EXPECT_TRUE(contains(checked.error().advice(), "trust_policy::check_owner"));
  trust_policy friendly;
  friendly.trusted_owners = {mallory};
  EXPECT_EQ(verdict(library_, friendly), "trusted");
  friendly.trusted_owners = {};
  friendly.check_owner = false;
  EXPECT_EQ(verdict(library_, friendly), "trusted");
}

TEST_F(trust, refuses_anothers_directory) {
  NEEDS_ROOT();
  own(directory_ / "build", mallory);
  EXPECT_TRUE(contains(verdict(library_), "its directory \"" + (directory_ / "build") + "\" belongs to user 54322"));
  trust_policy file_only;
  file_only.check_directories = false;
  EXPECT_EQ(verdict(library_, file_only), "trusted");
}

TEST_F(trust, lets_an_ordinary_user_load_roots_files_and_their_own) {
  NEEDS_ROOT();
  const std::string own_library = directory_ / "build/own.so";
  const std::string other_library = directory_ / "build/other.so";
  test::write_file(own_library, "bytes");
  test::write_file(other_library, "bytes");
  own(own_library, alice);
  own(other_library, mallory);
  ::chmod(own_library.c_str(), 0664);
  const ending how = in_child([&] {
    become(alice);
    EXPECT_EQ(verdict(library_), "trusted");
    EXPECT_EQ(verdict(own_library), "trusted");
    EXPECT_TRUE(contains(verdict(other_library), "belongs to user 54322, who is neither root nor user 54321"));
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST_F(trust, follows_links_and_looks_at_the_directories_of_link_and_target) {
  fs::create_directories(directory_ / "links");
  fs::create_symlink("../build/libfoo.so", directory_ / "links/relative.so");
  fs::create_symlink(library_, directory_ / "links/absolute.so");
  fs::create_symlink("absolute.so", directory_ / "links/twice.so");
  fs::create_directory_symlink("../build", directory_ / "links/directory");
  const std::vector<std::string> all = {directory_ / "links/relative.so", directory_ / "links/absolute.so",
                                        directory_ / "links/twice.so", directory_ / "links/directory/libfoo.so",
                                        directory_ / "links/directory/../build/libfoo.so"};
  for (const std::string& path : all) EXPECT_EQ(verdict(path), "trusted") << path;
  for (const char* const part : {"links", "build"}) {
    fs::permissions(directory_ / part, fs::perms::others_write, fs::perm_options::add);
    for (const std::string& path : all) {
      EXPECT_TRUE(contains(verdict(path), "its directory \"" + (directory_ / part) + "\"")) << path << verdict(path);
    }
    fs::permissions(directory_ / part, fs::perms::others_write, fs::perm_options::remove);
  }
}

TEST_F(trust, refuses_anothers_link_in_a_shared_directory) {
  NEEDS_ROOT();
  ::chmod((directory_ / "build").c_str(), 01777);
  fs::create_directories(directory_ / "safe");
  const std::string link = directory_ / "build/link.so";
  test::write_file(directory_ / "safe/libfoo.so", "bytes");
  fs::create_symlink("../safe/libfoo.so", link);
  EXPECT_EQ(verdict(link), "trusted");
  own(link, mallory);
  EXPECT_EQ(verdict(link), "the link \"" + link + "\" on its way belongs to user 54322");
}

TEST_F(trust, says_quietly_that_the_file_was_replaced_meanwhile) {
  const unique_fd old = open_file(library_);
  test::write_file(library_ + ".new", "other bytes");
  fs::rename(library_ + ".new", library_);
  auto checked = check_trust(old.get(), library_, {});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().reason(), replaced_meanwhile);
  fs::remove(library_);
  checked = check_trust(old.get(), library_, {});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().reason(), replaced_meanwhile);
}

TEST_F(trust, sees_a_link_that_leads_somewhere_else_than_when_it_was_opened) {
  const std::string link = directory_ / "link.so";
  fs::create_symlink("build/libfoo.so", link);
  const unique_fd opened = open_file(link);
  fs::create_directories(directory_ / "other");
  test::write_file(directory_ / "other/libfoo.so", "other bytes");
  fs::remove(link);
  fs::create_symlink("other/libfoo.so", link);
  const auto checked = check_trust(opened.get(), link, {});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().reason(), replaced_meanwhile);
}

TEST_F(trust, ends_on_links_that_lead_in_a_circle) {
  const unique_fd opened = open_file(library_);
  fs::remove(library_);
  fs::create_symlink("libbar.so", library_);
  fs::create_symlink("libfoo.so", directory_ / "build/libbar.so");
  EXPECT_FALSE(check_trust(opened.get(), library_, {}));
}

TEST_F(trust, honours_a_noexec_mount) {
  const ending how = in_child([&] {
    const bool possible = ::unshare(CLONE_NEWNS) == 0 &&
                          ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                          ::mount("none", (directory_ / "build").c_str(), "tmpfs", MS_NOEXEC, "mode=0755") == 0;
    if (!possible) ::_exit(77);
    test::write_file(library_, "bytes");
    const auto checked = check(library_);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().reason(), "it is on a file system mounted noexec");
    EXPECT_TRUE(contains(checked.error().advice(), "trust_policy::honour_noexec"));
    trust_policy blind;
    blind.honour_noexec = false;
    EXPECT_EQ(verdict(library_, blind), "trusted");
  });
  if (how.code() == 77) GTEST_SKIP() << "needs the right to mount";
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST_F(trust, says_what_is_wrong_with_a_descriptor_that_is_none) {
  const auto checked = check_trust(-1, library_, {});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().system(), std::strerror(EBADF));
}

std::string run_probe(const std::string& program, const std::string& library, const char* option, uid_t user) {
  const ending how = in_child([&] {
    if (user != ::geteuid()) become(user);
    ::execl(program.c_str(), program.c_str(), library.c_str(), option, nullptr);
    std::perror("exec");
    ::_exit(98);
  });
  return how.code() == 0 ? how.text.substr(0, how.text.find('\n')) : "did not run: " + how.text;
}

TEST_F(trust, trusts_who_owns_the_program_or_a_directory_above_it) {
  NEEDS_ROOT();
  fs::create_directories(directory_ / "sources/build");
  const std::string program = directory_ / "sources/build/program";
  const std::string library = directory_ / "sources/build/libfoo.so";
  const std::string elsewhere = directory_ / "program";
  fs::copy_file(test::built("TRUST_PROBE"), program);
  fs::copy_file(test::built("TRUST_PROBE"), elsewhere);
  test::write_file(library, "bytes");
  own(directory_ / "sources", alice);  // as a user's tree in a container, where root builds and runs
  own(library, alice);
  EXPECT_EQ(run_probe(program, library, nullptr, 0), "trusted");
  EXPECT_TRUE(contains(run_probe(elsewhere, library, nullptr, 0), "belongs to user 54321"));
  own(library, mallory);
  EXPECT_EQ(run_probe(program, library, nullptr, 0),
            "it belongs to user 54322, who is neither root nor user 0, who runs this program");
}

TEST_F(trust, loads_nothing_in_a_set_user_id_program_unless_asked_to) {
  NEEDS_ROOT();
  struct statvfs mount {};
  ASSERT_EQ(::statvfs(directory_.path().c_str(), &mount), 0);
  if ((mount.f_flag & ST_NOSUID) != 0) GTEST_SKIP() << "set-user-ID programs are without effect here";
  const std::string program = directory_ / "program";
  fs::copy_file(test::built("TRUST_PROBE"), program);
  EXPECT_EQ(run_probe(program, library_, nullptr, alice), "trusted");
  ASSERT_EQ(::chmod(program.c_str(), 04755), 0);
  EXPECT_TRUE(contains(run_probe(program, library_, nullptr, alice), "set-user-ID"));
  EXPECT_EQ(run_probe(program, library_, "allow", alice), "trusted");
}

// A budget, not a measurement: it is on the way of every reload.
TEST_F(trust, costs_microseconds) {
  const unique_fd file = open_file(library_);
  auto best = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 200; ++i) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(check_trust(file.get(), library_, {}));
    best = std::min(best, std::chrono::steady_clock::now() - start);
  }
  RecordProperty("nanoseconds", static_cast<int>(best.count()));
  EXPECT_LT(best, std::chrono::microseconds(200));
}

}  // namespace
}  // namespace autoreload
