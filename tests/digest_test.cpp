// SPDX-License-Identifier: MIT
// digest_test: a digest made at build time, and what it keeps out that no other check can see.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <autoreload/autoreload.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "support.hpp"
#include "with_digest.hpp"

namespace {

namespace fs = std::filesystem;
using autoreload::inspection;
using autoreload::verdict;
using support::inspected;
using support::with_digest;

struct number_api {
  autoreload::required_as<"number", int()> number;
};

class digest : public testing::Test {
 protected:
  static constexpr const char* tool = DIGEST_TOOL;

  // Its answer is an immediate operand in its code, which a test can find; `bulk` makes it larger than what is read
  // whole.
  void build(const std::string& path, int number, const std::string& flags = "") const {
    support::build_library(path,
                           "const char bulk[200000] = {1};\n"
                           "int number(void) { return 0x5eed0000 + " +
                               std::to_string(number) + "; }",
                           flags);
  }
  // Beside it, and over it at once.
  void replace(const std::string& bytes) const {
    support::write_file(path_ + ".new", bytes);
    fs::rename(path_ + ".new", path_);
  }
  [[nodiscard]] static std::string quoted(const std::string& path) { return "'" + path + "'"; }
  [[nodiscard]] int run(const std::string& words) const {
    return WEXITSTATUS(std::system((quoted(tool) + " " + words + " 2> " + quoted(directory_ / "words")).c_str()));
  }
  [[nodiscard]] std::string words() const { return support::read_file(directory_ / "words"); }

  static std::size_t place_of_the_number(const std::string& bytes, int number) {
    return bytes.find(std::string{static_cast<char>(number), 0, '\xed', '\x5e'});
  }

  [[nodiscard]] autoreload::options manual(bool required) const {
    autoreload::options chosen;
    chosen.drive = autoreload::drive_mode::manual;
    chosen.observer = autoreload::silent;
    chosen.require_digest = required;
    return chosen;
  }

  support::temp_directory directory_;
  std::string path_ = directory_ / "lib.so";
};

TEST_F(digest, is_the_crc_that_xz_uses) {
  const std::string text = "123456789";
  const auto bytes = std::as_bytes(std::span(text));
  EXPECT_EQ(autoreload::crc64(bytes), 0x995dc9bbdf1939fau);  // the catalogue's check value
  EXPECT_EQ(autoreload::crc64(bytes.subspan(4), autoreload::crc64(bytes.first(4))), autoreload::crc64(bytes));
  const std::string longer(1000, 'x');
  std::uint64_t byte_by_byte = 0;
  for (const std::byte& one : std::as_bytes(std::span(longer)))
    byte_by_byte = autoreload::crc64({&one, 1}, byte_by_byte);
  EXPECT_EQ(autoreload::crc64(std::as_bytes(std::span(longer))), byte_by_byte);
}

TEST_F(digest, tells_of_every_loaded_byte_that_was_changed) {
  support::build_library(path_, "static const char words[100] = {1}; const char* number(void) { return words; }");
  const std::string whole = with_digest(support::read_file(path_));
  const inspection seen = inspected(whole);
  ASSERT_EQ(seen.is, verdict::sound) << seen.reason;
  EXPECT_TRUE(seen.facts.has_digest);
  EXPECT_FALSE(inspected(support::read_file(path_)).facts.has_digest);
  std::size_t by_digest = 0;
  for (const autoreload::load_segment& segment : seen.facts.segments) {
    for (std::uint64_t at = segment.offset; at != segment.offset + segment.file_size; ++at) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
      const inspection found = inspected(changed);
      ASSERT_NE(found.is, verdict::sound) << "a bit flipped at " << at;
      by_digest += found.reason.find("digest") != std::string::npos;
    }
  }
  EXPECT_GT(by_digest, 500u) << "the other passes found nearly everything: what is this test for?";
}

TEST_F(digest, lets_in_what_it_was_made_of_and_keeps_out_damage_to_the_code) {
  build(path_, 1);
  ASSERT_EQ(run(quoted(path_)), 0) << words();
  autoreload::reloadable<number_api> library(path_, manual(false));
  ASSERT_EQ(library.call<&number_api::number>(), 0x5eed0001);

  build(directory_ / "next.so", 2, "-g");
  ASSERT_EQ(run(quoted(directory_ / "next.so")), 0) << words();
  const std::string good = support::read_file(directory_ / "next.so");
  std::string damaged = good;
  const std::size_t at = place_of_the_number(good, 2);
  ASSERT_NE(at, std::string::npos);
  damaged[at] ^= 4;
  replace(damaged);
  library.poll();
  EXPECT_EQ(library.call<&number_api::number>(), 0x5eed0001);
  ASSERT_TRUE(library.last_failure());
  EXPECT_EQ(library.last_failure()->at(), autoreload::stage::inspect);
  EXPECT_NE(library.last_failure()->reason().find("digest"), std::string::npos) << library.last_failure()->what();

  replace(good);
  library.poll();
  EXPECT_EQ(library.call<&number_api::number>(), 0x5eed0002);
}

TEST_F(digest, is_waited_for_where_it_is_required) {
  build(path_, 1);
  autoreload::reloadable<number_api> library(path_, manual(true));
  EXPECT_FALSE(library.loaded());
  ASSERT_TRUE(library.last_failure());
  EXPECT_NE(std::string(library.last_failure()->what()).find("autoreload-digest"), std::string::npos)
      << library.last_failure()->what();
  ASSERT_EQ(run(quoted(path_)), 0) << words();
  library.poll();
  ASSERT_TRUE(library.loaded());
  EXPECT_EQ(library.call<&number_api::number>(), 0x5eed0001);

  build(path_, 2);  // a linker knows nothing of it
  library.poll();
  EXPECT_EQ(library.call<&number_api::number>(), 0x5eed0001);
  ASSERT_EQ(run(quoted(path_)), 0) << words();
  library.poll();
  EXPECT_EQ(library.call<&number_api::number>(), 0x5eed0002);
}

TEST_F(digest, is_made_anew_by_the_tool_whenever_it_runs) {
  build(path_, 1, "-g");
  fs::permissions(path_, fs::perms(0750));
  fs::create_symlink("lib.so", directory_ / "name.so");
  const auto files = [&] { return std::distance(fs::directory_iterator(directory_.path()), {}); };
  const auto before = files();
  ASSERT_EQ(run(quoted(directory_ / "name.so")), 0) << words();
  EXPECT_TRUE(fs::is_symlink(directory_ / "name.so"));
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0750));
  const std::string once = support::read_file(path_);
  EXPECT_EQ(once.size() - once.rfind("\nautoreload-digest crc64 "), autoreload::digest_line_size);
  ASSERT_EQ(run(quoted(path_) + " " + quoted(directory_ / "copy.so")), 0) << words();
  EXPECT_EQ(support::read_file(directory_ / "copy.so"), once);
  EXPECT_EQ(files(), before + 2) << "more than the copy, and what the tool says, was left behind";
}

TEST_F(digest, is_not_made_of_a_damaged_or_unfinished_library) {
  build(path_, 1);
  const std::string whole = support::read_file(path_);
  for (const std::string& bad : {whole.substr(0, whole.size() / 2), std::string("no library at all\n")}) {
    support::write_file(path_, bad);
    EXPECT_EQ(run(quoted(path_)), 1);
    EXPECT_NE(words().find(path_), std::string::npos) << words();
    EXPECT_EQ(support::read_file(path_), bad);
  }
  EXPECT_EQ(run(quoted(directory_ / "nothing.so")), 1);
  EXPECT_EQ(run(quoted(path_) + " " + quoted(directory_ / "no/such/directory.so")), 1);
  EXPECT_EQ(run(""), 2);
  EXPECT_EQ(run("--help > /dev/null"), 0);
}

}  // namespace
