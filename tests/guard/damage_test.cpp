// SPDX-License-Identifier: MIT
// damage: debug information with bits flipped, ranges zeroed, numbers made huge and sections cut off goes through the
// whole guard. The host must live, answer in time, and leak nothing. AUTORELOAD_DAMAGE_ROUNDS asks for more than the
// few rounds of an everyday run, AUTORELOAD_DAMAGE_SEED for others.
#include <elf.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>

#include "damage_any.hpp"
#include "edit_list.hpp"
#include "support.hpp"

namespace {

using namespace autoreload_test;
using clock_type = std::chrono::steady_clock;

std::size_t number_from(const char* variable, std::size_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

struct range {
  std::size_t offset;
  std::size_t size;
};

template <class T>
T at(const std::string& file, std::size_t offset) {
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

std::vector<range> debug_sections(const std::string& file) {
  const auto header = at<Elf64_Ehdr>(file, 0);
  const auto names = at<Elf64_Shdr>(file, header.e_shoff + header.e_shstrndx * sizeof(Elf64_Shdr));
  std::vector<range> found;
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const auto section = at<Elf64_Shdr>(file, header.e_shoff + i * sizeof(Elf64_Shdr));
    const char* const name = file.data() + names.sh_offset + section.sh_name;
    if (std::strncmp(name, ".debug_", 7) == 0 && section.sh_size != 0)
      found.push_back({section.sh_offset, section.sh_size});
  }
  return found;
}

std::string damaged_copy(const std::string& file, const std::vector<range>& sections, std::mt19937_64& random) {
  const range section = sections[random() % sections.size()];
  std::string bad = damage_any(file, random, section.offset, section.size);
  if (random() % 50 == 0) {  // a section that claims more than the file has
    const auto header = at<Elf64_Ehdr>(file, 0);
    const std::size_t entry = header.e_shoff + random() % header.e_shnum * sizeof(Elf64_Shdr);
    const std::uint64_t huge = random() % 2 == 0 ? file.size() + 1 : ~std::uint64_t{0} - random() % 64;
    const std::size_t which = random() % 2 == 0 ? offsetof(Elf64_Shdr, sh_size) : offsetof(Elf64_Shdr, sh_offset);
    std::memcpy(bad.data() + entry + which, &huge, sizeof huge);
  }
  return bad;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator list("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(list), end(list)));
}

class damaged : public testing::TestWithParam<const char*> {};

TEST_P(damaged, debug_information_never_crashes_or_delays_the_host) {
  const std::string directory = AUTORELOAD_EDITS;
  const std::string good = contents(directory + "/after_" + GetParam() + ".so");
  if (good.empty()) GTEST_SKIP() << "built without " << GetParam();
  const std::vector<range> sections = debug_sections(good);
  ASSERT_GE(sections.size(), 4U);
  const unique_fd running = snapshot(directory + "/before_" + GetParam() + ".so");
  std::vector<symbol_info> symbols;
  for (const edit& e : edits()) {
    for (const auto& s : e.symbols) symbols.push_back({s.name, true, !s.variable, 0, nullptr});
  }

  // Strictly, so that it says each time what it could not see.
  const auto ask = [&](const std::string& bytes) {
    const auto guard =
        autoreload::make_abi_guard({.policy = autoreload::abi_policy::strict, .time_limit = std::chrono::seconds(4)});
    return guard->check({"damaged.so", in_memory(bytes).get(), running.get(), symbols, "api"});
  };
  const guard_verdict undamaged = ask(good);
  ASSERT_TRUE(undamaged.refuse) << "it is full of differences";
  const std::size_t descriptors = open_descriptors();
  const std::size_t rounds = number_from("AUTORELOAD_DAMAGE_ROUNDS", 60);
  std::mt19937_64 random(number_from("AUTORELOAD_DAMAGE_SEED", 1));
  std::size_t unread = 0;
  std::size_t changed = 0;
  std::size_t slow = 0;
  clock_type::duration longest{};
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::string bad = damaged_copy(good, sections, random);
    const auto start = clock_type::now();
    const guard_verdict verdict = ask(bad);
    const auto took = clock_type::now() - start;
    changed += verdict.differences != undamaged.differences ? 1 : 0;
    unread += says(verdict.differences, "without a whole answer") ? 1 : 0;
    slow += says(verdict.differences, "took too long") ? 1 : 0;
    longest = std::max(longest, took);
  }
  EXPECT_LT(longest, std::chrono::seconds(10));
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_TRUE(ask(good).refuse) << "and it still works";
  std::printf("%zu damaged files, %zu with another verdict: the helper crashed on %zu and was stopped on %zu\n", rounds,
              changed, unread, slow);
}

INSTANTIATE_TEST_SUITE_P(builds, damaged, testing::Values("gcc_O0", "gcc_O2", "clang_O0", "clang_O2"),
                         [](const auto& build) { return std::string(build.param); });

}  // namespace
