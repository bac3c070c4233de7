// SPDX-License-Identifier: MIT
// recorded_calls_test: calls that a host made are made on each new build before the host sees it, by real helpers.
#include <gtest/gtest.h>

#include <autoreload/autoreload.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support.hpp"

namespace {

using namespace std::chrono_literals;
using autoreload::call_sample;

enum color : unsigned char { red = 1, violet = 200 };

struct Api {
  autoreload::required_as<"scale", int(int, int)> scale;
  autoreload::optional_as<"half", float(float)> half;
  autoreload::optional_as<"count", std::uint64_t()> count;
  autoreload::optional_as<"mixed", double(signed char, double, bool, float, std::uint64_t, color, double, short, long)>
      mixed;
  autoreload::optional_as<"negate", signed char(signed char)> negate;
  autoreload::optional_as<"is_even", bool(unsigned)> is_even;
  autoreload::optional_as<"reset", void()> reset;
};
using library = autoreload::reloadable<Api>;

class RecordedCalls : public testing::Test {
 protected:
  void build(const std::string& source) { support::build_library(path(), source, "-g"); }
  std::string path() const { return directory_ / "lib.so"; }
  std::shared_ptr<call_sample> sample() { return sample_; }

  library& start(const std::string& source) {
    build(source);
    autoreload::options chosen;
    chosen.drive = autoreload::drive_mode::manual;
    chosen.trial.enabled = true;
    chosen.trial.time_limit = 500ms;
    chosen.trial.sample = sample_;
    chosen.observer = [this](const autoreload::event& told) {
      if (told.kind == autoreload::event_kind::warning) warnings_ += told.text + "\n";
    };
    lib_.emplace(path(), chosen);
    return *lib_;
  }
  /// Why the next build is refused, or what is said of it.
  std::string next(const std::string& source) {
    warnings_.clear();
    build(source);
    if (const autoreload::result<void> done = lib_->reload(); !done) return done.error().reason();
    lib_->poll();
    return warnings_;
  }

 private:
  support::temp_directory directory_;
  std::shared_ptr<call_sample> sample_ = std::make_shared<call_sample>();
  std::string warnings_;
  std::optional<library> lib_;
};

const char* const good = "int scale(int a, int b) { return a * b; }";

TEST_F(RecordedCalls, NameThoseThatANewBuildAnswersOtherwise) {
  library& lib = start(good);
  for (const int factor : {1, 2, 3}) EXPECT_EQ(sample()->call<&Api::scale>(lib, 10, factor), 10 * factor);
  EXPECT_EQ(next("int scale(int a, int b) { return b == 1 ? a : a * b + 1; }"),
            "2 of 3 recorded calls are answered otherwise than by the running generation: scale(10, 2) = 21, was 20; "
            "scale(10, 3) = 31, was 30\n");
  EXPECT_EQ(lib->scale(10, 2), 21) << "another answer may be what was wanted: the build runs";
  EXPECT_EQ(next("int scale(int a, int b) { return a * b + (b > 1) + 0 * a; }"), "") << "compared with what runs now";
}

TEST_F(RecordedCalls, RefuseABuildThatCrashesInOneAndSayWhere) {
  library& lib = start(good);
  EXPECT_EQ(sample()->call<&Api::scale>(lib, 6, 0), 0);
  const std::string why = next("#include <stdlib.h>\nint scale(int a, int b) {\n  return a / b;\n}");
  EXPECT_EQ(why.find("the recorded call scale(6, 0) died of SIGFPE in scale+0x"), 0U) << why;
  EXPECT_NE(why.find("lib.so.c:3)"), std::string::npos) << why;
  EXPECT_EQ(lib->scale(2, 3), 6) << "the old one goes on";
  const std::string by_libc = next(
      "#include <stdlib.h>\nstatic int check(int b) {\n  if (b == 0) abort();\n  return b;\n}\n"
      "int scale(int a, int b) { return a * check(b); }");
  EXPECT_EQ(by_libc.find("the recorded call scale(6, 0) died of SIGABRT in "), 0U) << by_libc;
  EXPECT_NE(by_libc.find("lib.so.c:3)"), std::string::npos) << by_libc;
}

TEST_F(RecordedCalls, RefuseABuildThatHangsOrExitsInOne) {
  library& lib = start(good);
  EXPECT_EQ(sample()->call<&Api::scale>(lib, 1, 1), 1);
  EXPECT_EQ(next("#include <unistd.h>\nint scale(int a, int b) { for (;;) pause(); }"),
            "the recorded call scale(1, 1) did not finish in 500 ms");
  EXPECT_EQ(next("#include <stdlib.h>\nint scale(int a, int b) { exit(4); }"),
            "it called exit(4) while the recorded call scale(1, 1) was made");
  EXPECT_EQ(lib->scale(5, 3), 15);
}

TEST_F(RecordedCalls, HandOverEveryKindOfNumberAndTakeItBack) {
  const std::string source =
      "#include <stdbool.h>\nint scale(int a, int b) { return a * b; }\nfloat half(float x) { return x / 2; }\n"
      "double mixed(signed char a, double b, bool c, float d, unsigned long e, unsigned char f, double g, short h, "
      "long "
      "i) { return a + 10 * b + 100 * c + 1000 * d + e % 7 + f + g / 3 + h + i; }\n"
      "signed char negate(signed char x) { return -x; }\nbool is_even(unsigned x) { return x % 2 == 0; }\n"
      "void reset(void) {}\nunsigned long count(void) { return -1; }\n";
  library& lib = start(source);
  const auto made = [&] {
    sample()->call<&Api::half>(lib, 3.0F);
    sample()->call<&Api::mixed>(lib, -5, 0.25, true, -1.5F, std::uint64_t{1} << 63, violet, 1e300, -3, -4L);
    sample()->call<&Api::negate>(lib, 7);
    sample()->call<&Api::is_even>(lib, 4000000000U);
    sample()->call<&Api::reset>(lib);
    sample()->call<&Api::count>(lib);
  };
  made();
  EXPECT_EQ(next(source + "int more;"), "") << "nothing differs";
  const std::string all = next(
      "#include <stdbool.h>\nint scale(int a, int b) { return 0; }\nfloat half(float x) { return -x / 2; }\n"
      "double mixed(signed char a, double b, bool c, float d, unsigned long e, unsigned char f, double g, short h, "
      "long "
      "i) { return (a == -5) + (b == 0.25) + c + (d == -1.5f) + (e == 1ul << 63) + (f == 200) + (g == 1e300) + (h == "
      "-3) "
      "+ (i == -4); }\nsigned char negate(signed char x) { return x; }\n"
      "bool is_even(unsigned x) { return x % 2; }\nvoid reset(void) {}\nunsigned long count(void) { return 5; }\n");
  EXPECT_EQ(all.find("5 of 6 "), 0U) << all;
  for (const char* const part :
       {"half(3) = -1.5, was 1.5", "mixed(-5, 0.25, true, -1.5, 9223372036854775808, 200, 1e+300, -3, -4) = 9, was ",
        "negate(7) = 7, was -7", "is_even(4000000000) = false, was true", "count() = 5, was 18446744073709551615"}) {
    EXPECT_NE(all.find(part), std::string::npos) << part << "\n" << all;
  }
}

TEST_F(RecordedCalls, BeginWithTheVariablesOfAFreshLoadInBothBuilds) {
  const std::string counts =
      "int scale(int a, int b) { return 0; }\nunsigned long count(void) { static unsigned long n; "
      "return ++n; }\n";
  library& lib = start(counts);
  for (int i = 0; i < 5; ++i) sample()->call<&Api::count>(lib);
  EXPECT_EQ(next(counts + "int more;"), "");
  EXPECT_EQ(sample()->calls().size(), 1U) << "a call that was made five times is recorded once";
}

TEST_F(RecordedCalls, TellOfFunctionsThatGoAndCome) {
  library& lib = start(std::string(good) + "\nfloat half(float x) { return x / 2; }\n");
  sample()->call<&Api::half>(lib, 4.0F);
  sample()->record<&Api::is_even>(3U);
  EXPECT_EQ(
      next(std::string(good) + "\n_Bool is_even(unsigned x) { return x % 2 == 0; }\n"),
      "2 of 2 recorded calls are answered otherwise than by the running generation: half(4) is gone; is_even(3) is "
      "new\n");
}

TEST_F(RecordedCalls, DoNotBlameTheNewBuildForACrashOfTheOld) {
  library& lib = start("int scale(int a, int b) { return b == 0 ? *(int *)8 : a; }");
  sample()->record<&Api::scale>(1, 0);
  EXPECT_EQ(lib->scale(1, 1), 1);
  const std::string said = next(good);
  EXPECT_EQ(said.find("the recorded calls can't be compared: in the running generation the recorded call scale(1, 0) "
                      "died of SIGSEGV in scale+0x"),
            0U)
      << said;
  EXPECT_EQ(lib->scale(1, 0), 0);
}

TEST(CallSample, KeepsSomeOfManyCallsInOrder) {
  call_sample sample(16);
  const support::temp_directory directory;
  support::build_library(directory / "lib.so", good);
  const library lib(directory / "lib.so");
  for (int i = 0; i < 10000; ++i) (void)sample.call<&Api::scale>(lib, i, 1);
  const std::vector<autoreload::recorded_call> kept = sample.calls();
  EXPECT_EQ(kept.size(), 16U);
  std::uint64_t last = 0;
  bool late = false;
  for (const autoreload::recorded_call& one : kept) {
    EXPECT_GE(one.arguments[0].bits, last);
    last = one.arguments[0].bits;
    late = late || last >= 5000;
  }
  EXPECT_TRUE(late) << "not only the first are kept";
  EXPECT_EQ(to_string(kept.front()), "scale(" + std::to_string(kept.front().arguments[0].bits) + ", 1)");
}

TEST(CallSample, IsFilledByManyThreads) {
  const support::temp_directory directory;
  support::build_library(directory / "lib.so", good);
  const library lib(directory / "lib.so");
  call_sample sample(1000);
  std::vector<std::thread> callers;
  for (int n = 0; n < 4; ++n) {
    callers.emplace_back([&, n] {
      for (int i = 0; i < 2000; ++i) EXPECT_EQ(sample.call<&Api::scale>(lib, i, n), i * n);
    });
  }
  for (std::thread& one : callers) one.join();
  EXPECT_GT(sample.calls().size(), 0U);
  EXPECT_LE(sample.calls().size(), 1000U);
}

}  // namespace
