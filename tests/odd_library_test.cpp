// SPDX-License-Identifier: MIT
// odd_library_test: libraries that are made otherwise than usual, loaded and reloaded by the engine.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <autoreload/autoreload.hpp>
#include <cstring>
#include <future>
#include <optional>
#include <string>

#include "digest/digest.hpp"
#include "reload/inspect/inspect.hpp"
#include "support.hpp"
#include "system/sanitizers.hpp"

extern "C" int value(void);

namespace {

struct value_api {
  autoreload::required<::value> value;
};

autoreload::options driven_by_hand() {
  autoreload::options chosen;
  chosen.drive = autoreload::drive_mode::manual;
  return chosen;
}

// Sets the time of modification back, as `touch -d` does.
void make_old(const std::string& path, int seconds) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const timespec then{now.tv_sec - seconds, now.tv_nsec};
  const timespec times[2] = {then, then};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0) << std::strerror(errno);
}

bool is_there(const std::string& tool) {
  return std::system(("command -v " + tool + " > /dev/null 2>&1").c_str()) == 0;
}

class OddLibrary : public testing::Test {
 protected:
  // Whether the command, in which OUT and IN are the library and its source, made one; renamed into its place then.
  bool build(std::string command, const std::string& source, const std::string& suffix = ".c") {
    support::write_file(directory_ / ("lib" + suffix), source);
    for (const auto& [word, file] :
         {std::pair<std::string, std::string>{"OUT", path_ + ".new"}, {"IN", directory_ / ("lib" + suffix)}}) {
      command.replace(command.find(word), word.size(), "'" + file + "'");
    }
    if (std::system((command + " > /dev/null 2>&1").c_str()) != 0) return false;
    std::filesystem::rename(path_ + ".new", path_);
    return true;
  }
  bool compile(const std::string& source, const std::string& flags = "") {
    return build(support::c_compiler() + " -shared -fPIC -w -o OUT IN " + flags, source);
  }
  static std::string answers(int number) { return "int value(void) { return " + std::to_string(number) + "; }"; }

  [[nodiscard]] std::string failure() {
    const auto why = library_->last_failure();
    return why ? std::string(why->what()) : std::string();
  }
  void runs(int expected) {
    library_->poll();
    ASSERT_TRUE(library_->loaded()) << failure();
    EXPECT_EQ((*library_)->value(), expected) << failure();
  }

  support::temp_directory directory_;
  std::string path_ = directory_ / "lib.so";
  std::optional<autoreload::reloadable<value_api>> library_;
};

// ---- zeros in code
// ---------------------------------------------------------------------------------------------------

class ZerosInCode : public OddLibrary {
 protected:
  static std::string with_table(int number) {
#if defined(__x86_64__)
    const std::string load = "mov $" + std::to_string(number) + ", %0", jump = "jmp 1f";
#else
    const std::string load = "mov %w0, #" + std::to_string(number), jump = "b 1f";
#endif
    return "int value(void) { int r; __asm__(\"" + jump + "\\n.balign 8\\n.quad 0,0\\n1: " + load +
           "\" : \"=r\"(r)); return r; }";
  }
};

TEST_F(ZerosInCode, AreWaitedForWhileTheFileIsYoungAndMeantSomeSecondsLater) {
  ASSERT_TRUE(compile(with_table(4)));
  library_.emplace(path_, driven_by_hand());
  EXPECT_FALSE(library_->loaded());
  EXPECT_NE(failure().find("still zeros"), std::string::npos) << failure();
  EXPECT_NE(failure().find("some seconds after its last change"), std::string::npos) << failure();
  make_old(path_, 4);
  runs(4);
  ASSERT_TRUE(compile(with_table(5)));
  library_->poll();
  EXPECT_EQ((*library_)->value(), 4);
  make_old(path_, 4);
  runs(5);
}

TEST_F(ZerosInCode, AreLoadedByThemselvesWhenTheirTimeHasCome) {
  ASSERT_TRUE(compile(with_table(4)));
  std::promise<void> loaded;
  autoreload::options chosen;
  chosen.observer = [&](const autoreload::event& e) {
    if (e.kind == autoreload::event_kind::loaded) loaded.set_value();
  };
  library_.emplace(path_, chosen);
  EXPECT_EQ(loaded.get_future().wait_for(support::patience), std::future_status::ready) << failure();
  library_.reset();
}

TEST_F(ZerosInCode, AreNotMeantWhileSomebodyHasTheFileOpenForWriting) {
  ASSERT_TRUE(compile(with_table(4)));
  make_old(path_, 100);
  const int writer = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(writer, 0);
  library_.emplace(path_, driven_by_hand());
  EXPECT_FALSE(library_->loaded());
  close(writer);
  runs(4);
}

TEST_F(ZerosInCode, OfALibraryWithADigestAreMeantAtOnce) {
  ASSERT_TRUE(compile(with_table(4)));
  std::string bytes = support::read_file(path_);
  const auto seen =
      autoreload::inspect(std::as_bytes(std::span(bytes)), autoreload::this_machine, autoreload::writing::is_over);
  ASSERT_EQ(seen.is, autoreload::verdict::sound) << seen.reason;
  bytes += autoreload::digest_line(std::as_bytes(std::span(bytes)), seen.facts.segments);
  support::write_file(path_, bytes);
  library_.emplace(path_, driven_by_hand());
  runs(4);
}

TEST_F(ZerosInCode, OfADependencyAreWaitedForLikewise) {
  const std::string cc = support::c_compiler() + " -shared -fPIC -w -o OUT IN ";
  ASSERT_TRUE(build(cc + "-Dvalue=part -Wl,-soname,libpart.so", with_table(4)));
  std::filesystem::rename(path_, directory_ / "libpart.so");
  ASSERT_TRUE(build(cc + "-Wl,-rpath,'" + directory_.path().string() + "' '" + directory_ / "libpart.so" + "'",
                    "int part(void); int value(void) { return part(); }"));
  library_.emplace(path_, driven_by_hand());
  EXPECT_FALSE(library_->loaded());
  EXPECT_NE(failure().find("libpart.so"), std::string::npos) << failure();
  EXPECT_NE(failure().find("still zeros"), std::string::npos) << failure();
  make_old(directory_ / "libpart.so", 4);
  runs(4);
}

// ---- an image base that isn't 0
// --------------------------------------------------------------------------------------

TEST_F(OddLibrary, WithAnImageBaseIsLoadedAndReloaded) {
  for (const std::string flags :
       {"-fuse-ld=bfd -Wl,-Ttext-segment=0x10000000", "-fuse-ld=lld -Wl,--image-base=0x10000000",
        "-fuse-ld=gold -nostdlib -Wl,-Ttext-segment=0x10000000"}) {
    library_.reset();
    if (!compile(answers(4), flags)) continue;
    library_.emplace(path_, driven_by_hand());
    runs(4);
    ASSERT_TRUE(compile(answers(5), flags));
    runs(5);
  }
}

// ---- no word on the stack
// --------------------------------------------------------------------------------------------

class NoWordOnTheStack : public OddLibrary {
 protected:
  static std::string stack_rights() {
    const std::string maps = support::read_file("/proc/self/maps");
    const std::size_t at = maps.find("[stack]");
    if (at == std::string::npos) return "no stack";
    const std::size_t line = maps.rfind('\n', at) + 1;
    return maps.substr(maps.find(' ', line) + 1, 4);
  }
  // In a child, so that one that fails spoils no other test's stack.
  void keeps_the_stack(const autoreload::options& chosen) {
    ASSERT_EQ(stack_rights(), "rw-p");
    library_.emplace(path_, chosen);
    runs(4);
    EXPECT_EQ(stack_rights(), "rw-p");
  }
  static bool has_stack_header(const std::string& path) {
    const std::string bytes = support::read_file(path);
    return autoreload::inspect(std::as_bytes(std::span(bytes))).facts.stack_header;
  }
};

TEST_F(NoWordOnTheStack, ByTccIsGivenAndTheStackStaysAsItIs) {
  if (!build("tcc -shared -o OUT IN", answers(4))) GTEST_SKIP() << "tcc is not installed";
  ASSERT_FALSE(has_stack_header(path_));
  keeps_the_stack(driven_by_hand());
  ASSERT_TRUE(build("tcc -shared -o OUT IN", answers(5)));
  runs(5);
  EXPECT_EQ(stack_rights(), "rw-p");
}

// tcc gives what the library exports no version, where what it needs has one.
TEST_F(NoWordOnTheStack, ByTccIsGivenToALibraryThatNeedsTheCLibraryToo) {
  const std::string source =
      "extern unsigned long strlen(const char*); static const char* const words[] = {\"four\"};"
      "int value(void) { return (int)strlen(words[0]); }";
  if (!build("tcc -shared -o OUT IN", source)) GTEST_SKIP() << "tcc is not installed";
  keeps_the_stack(driven_by_hand());
}

TEST_F(NoWordOnTheStack, ByOtherLinkersIsGivenToo) {
  support::write_file(directory_ / "lib.s",
                      ".text\n.globl value\n.type value, %function\nvalue: mov $4, %eax\nret\n.size value, .-value\n");
  const std::string assembled = " -shared -nostdlib -o OUT IN";
  int tried = 0;
  for (const auto& [command, source, suffix] : {
           std::tuple<std::string, std::string, std::string>{support::c_compiler() + " -fuse-ld=gold" + assembled,
                                                             support::read_file(directory_ / "lib.s"), ".s"},
           {support::c_compiler() + " -fuse-ld=bfd" + assembled, support::read_file(directory_ / "lib.s"), ".s"},
           {support::c_compiler() + " -fuse-ld=lld -Wl,-z,nognustack -shared -fPIC -o OUT IN", answers(4), ".c"},
           {support::c_compiler() + " -fuse-ld=gold -Wl,-z,nognustack -shared -fPIC -o OUT IN", answers(4), ".c"},
       }) {
    library_.reset();
    if (!build(command, source, suffix) || has_stack_header(path_)) continue;
    ++tried;
    keeps_the_stack(driven_by_hand());
  }
  if (tried == 0) GTEST_SKIP() << "no linker here leaves the header out";
}

// What is not mapped is copied later, with the file's own header.
TEST_F(NoWordOnTheStack, OfALargeLibraryIsGivenAndItsDebugInformationIsThereInTheEnd) {
  std::string source = answers(4);
  for (int i = 0; i != 2000; ++i)
    source += "\nint f" + std::to_string(i) + "(int a) { return a + " + std::to_string(i) + "; }";
  if (!compile(source, "-g -fuse-ld=lld -Wl,-z,nognustack") || has_stack_header(path_))
    GTEST_SKIP() << "ld.lld is not installed";
  keeps_the_stack(driven_by_hand());
  library_->poll();
  std::string name;
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* into) {
        if (std::strstr(object->dlpi_name, "/fd/") == nullptr) return 0;
        int stacks = 0;
        for (int i = 0; i != object->dlpi_phnum; ++i) stacks += object->dlpi_phdr[i].p_type == PT_GNU_STACK;
        EXPECT_EQ(stacks, 1);
        *static_cast<std::string*>(into) = object->dlpi_name;
        return 0;
      },
      &name);
  const std::string copy = support::read_file(name);
  const std::string original = support::read_file(path_);
  EXPECT_EQ(copy.substr(64, original.size() - 64), original.substr(64));
  EXPECT_EQ(
      std::memcmp(copy.data() + offsetof(Elf64_Ehdr, e_shoff), original.data() + offsetof(Elf64_Ehdr, e_shoff), 8), 0);
  EXPECT_TRUE(has_stack_header(name));
  // Touched, not changed: it is still known for the same.
  make_old(path_, 50);
  library_->poll();
  EXPECT_EQ(library_->generation(), 1u);
}

TEST_F(NoWordOnTheStack, OfADependencyIsGivenAndExceptionsStillPass) {
  const std::string gxx = "c++ -shared -fPIC -w -fuse-ld=lld -Wl,-z,nognustack -o OUT IN ";
  if (!build(gxx + "-Wl,-soname,libpart.so", "extern \"C\" int part(int i) { if (i == 0) throw 4; return i; }",
             ".cpp") ||
      has_stack_header(path_)) {
    GTEST_SKIP() << "ld.lld is not installed";
  }
  std::filesystem::rename(path_, directory_ / "libpart.so");
  ASSERT_TRUE(build(
      gxx + "-Wl,-rpath,'" + directory_.path().string() + "' '" + directory_ / "libpart.so" + "'",
      "extern \"C\" int part(int); extern \"C\" int value() { try { return part(0); } catch (int i) { return i; } }",
      ".cpp"));
  ASSERT_FALSE(has_stack_header(path_));
  keeps_the_stack(driven_by_hand());
}

TEST_F(NoWordOnTheStack, IsGivenInTheTrialToo) {
  if (!build("tcc -shared -o OUT IN", answers(4))) GTEST_SKIP() << "tcc is not installed";
  autoreload::options chosen = driven_by_hand();
  chosen.trial.enabled = true;
  keeps_the_stack(chosen);
}

TEST_F(NoWordOnTheStack, WithADigestIsStillWhatItsDigestWasMadeOf) {
  if (!build("tcc -shared -o OUT IN", answers(4))) GTEST_SKIP() << "tcc is not installed";
  std::string bytes = support::read_file(path_);
  bytes += autoreload::digest_line(std::as_bytes(std::span(bytes)),
                                   autoreload::inspect(std::as_bytes(std::span(bytes))).facts.segments);
  support::write_file(path_, bytes);
  autoreload::options chosen = driven_by_hand();
  chosen.require_digest = true;
  keeps_the_stack(chosen);
}

// ld.bfd takes silence in an object for a wish, and says so in the library: that stays refused, and the flag helps.
TEST_F(NoWordOnTheStack, OfAnObjectBecomesAWishForWhichTheAdviceHelps) {
  const std::string source =
      ".text\n.globl value\n.type value, %function\nvalue: mov $4, %eax\nret\n.size value, .-value\n";
  const std::string command = support::c_compiler() + " -fuse-ld=bfd -shared -o OUT IN ";
  if (!build(command, source, ".s") || !has_stack_header(path_)) {
    const std::string bytes = support::read_file(path_);
    if (autoreload::inspect(std::as_bytes(std::span(bytes))).is == autoreload::verdict::sound)
      GTEST_SKIP() << "this linker makes no wish of it";
  }
  library_.emplace(path_, driven_by_hand());
  EXPECT_FALSE(library_->loaded());
  EXPECT_NE(failure().find("-Wl,-z,noexecstack"), std::string::npos) << failure();
  ASSERT_TRUE(build(command + "-Wl,-z,noexecstack", source, ".s"));
  runs(4);
  EXPECT_EQ(stack_rights(), "rw-p");
}

// ---- built for a sanitizer
// -------------------------------------------------------------------------------------------

constexpr bool sanitized = autoreload::address_sanitizer || autoreload::thread_sanitizer;

struct sanitizer {
  const char* name;
  const char* compiler;
  const char* flag;
};
std::ostream& operator<<(std::ostream& out, const sanitizer& one) { return out << one.name; }

class BuiltForASanitizer : public OddLibrary, public testing::WithParamInterface<sanitizer> {
 protected:
  void SetUp() override {
    if (sanitized) GTEST_SKIP() << "this program is built for one itself";
    if (!is_there(GetParam().compiler)) GTEST_SKIP() << GetParam().compiler << " is not installed";
    const std::string command = std::string(GetParam().compiler) + " -w -shared -fPIC -fsanitize=" + GetParam().flag;
    if (!build(command + " -o OUT IN", "int numbers[3]; int value(void) { return numbers[1] += 4; }")) {
      GTEST_SKIP() << "it has no such sanitizer here";
    }
  }
};

TEST_P(BuiltForASanitizer, IsRefusedBeforeItsRuntimeEndsTheProgram) {
  library_.emplace(path_, driven_by_hand());
  EXPECT_FALSE(library_->loaded());
  const std::string flag = std::string("-fsanitize=") + GetParam().flag;
  EXPECT_NE(failure().find("built with " + flag), std::string::npos) << failure();
  EXPECT_NE(failure().find("build it without " + flag), std::string::npos) << failure();
  ASSERT_TRUE(compile(answers(5)));
  runs(5);
}

TEST_P(BuiltForASanitizer, IsLoadedWhereTheAdviceIsFollowed) {
  library_.emplace(path_, driven_by_hand());
  const std::string advice = failure();
  const std::size_t at = advice.find("LD_PRELOAD=");
  if (at == std::string::npos) GTEST_SKIP() << "its runtime is no library of its own";
  const std::string preload = advice.substr(at, advice.find_first_of(" \n)", at) - at);
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_NO_THROW(support::shell(
      preload + " ASAN_OPTIONS=detect_leaks=0 LSAN_OPTIONS=detect_leaks=0 ODD_LIBRARY='" + path_ + "' '" + self +
      "' --gtest_also_run_disabled_tests --gtest_filter=OddLibrary.DISABLED_OfTheEnvironmentIsLoaded"));
}

// Run by the test above, in a process that was started otherwise.
TEST_F(OddLibrary, DISABLED_OfTheEnvironmentIsLoaded) {
  const char* const path = std::getenv("ODD_LIBRARY");
  ASSERT_NE(path, nullptr);
  library_.emplace(path, driven_by_hand());
  runs(4);
}

TEST_P(BuiltForASanitizer, AsADependencyIsRefusedToo) {
  std::filesystem::remove(path_);
  const std::string command = std::string(GetParam().compiler) + " -w -shared -fPIC -fsanitize=" + GetParam().flag;
  ASSERT_TRUE(build(command + " -Wl,-soname,libpart.so -o OUT IN",
                    "int numbers[3]; int part(void) { return numbers[1] += 4; }"));
  std::filesystem::rename(path_, directory_ / "libpart.so");
  ASSERT_TRUE(compile("int part(void); int value(void) { return part(); }", "-Wl,--allow-shlib-undefined -Wl,-rpath,'" +
                                                                                directory_.path().string() + "' '" +
                                                                                directory_ / "libpart.so" + "'"));
  library_.emplace(path_, driven_by_hand());
  EXPECT_FALSE(library_->loaded());
  EXPECT_NE(failure().find(std::string("built with -fsanitize=") + GetParam().flag), std::string::npos) << failure();
}

const sanitizer sanitizers[] = {{"gcc_address", "gcc", "address"},   {"gcc_thread", "gcc", "thread"},
                                {"gcc_leak", "gcc", "leak"},         {"clang_address", "clang", "address"},
                                {"clang_thread", "clang", "thread"}, {"clang_memory", "clang", "memory"}};
const auto name_of = [](const auto& info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(Every, BuiltForASanitizer, testing::ValuesIn(sanitizers), name_of);

// These need nothing of the program.
TEST_F(OddLibrary, BuiltForAStandaloneSanitizerIsLoaded) {
  for (const std::string flag : {"undefined -fsanitize-undefined-trap-on-error", "undefined"}) {
    library_.reset();
    if (!build("gcc -w -shared -fPIC -o OUT IN -fsanitize=" + flag, "int value(void) { int i = 4; return i + 0; }"))
      continue;
    library_.emplace(path_, driven_by_hand());
    runs(4);
  }
}

}  // namespace
