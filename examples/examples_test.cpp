// SPDX-License-Identifier: MIT
// examples_test: each example runs while its library is edited and compiled.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "running.hpp"
#include "support.hpp"

namespace {

// A user's copy of one library's source, edited and compiled beside the program that runs.
class working_copy {
 public:
  working_copy(const std::string& example, const std::string& library)
      : headers_(examples() / example),
        library_(directory_ / ("lib" + library + ".so")),
        text_(support::read_file(headers_ / (library + ".c"))) {
    EXPECT_FALSE(text_.empty());
    build();
  }

  [[nodiscard]] const std::string& library() const { return library_; }
  void build() const { support::build_library(library_, text_, "-I'" + headers_.string() + "'"); }

  /// Replaces text of the source, which must be there, and compiles it.
  void edit(const std::string& from, const std::string& to) {
    const std::size_t at = text_.find(from);
    ASSERT_NE(at, std::string::npos) << from << " is not in the source";
    text_.replace(at, from.size(), to);
    build();
  }

 private:
  static std::filesystem::path examples() { return std::getenv("AUTORELOAD_EXAMPLES"); }

  support::temp_directory directory_;
  std::filesystem::path headers_;
  std::string library_;
  std::string text_;
};

std::string program(const char* variable) {
  const char* const path = std::getenv(variable);
  return path != nullptr ? path : "";
}

struct garden {
  int day = 0;
  int steps = 0;
  std::string picture;
  explicit garden(const std::string& line) {
    std::array<char, 64> drawn{};
    EXPECT_EQ(std::sscanf(line.c_str(), "day %d %63s steps %d", &day, drawn.data(), &steps), 3) << line;
    picture = drawn.data();
  }
  [[nodiscard]] std::size_t snail() const { return picture.find_first_of("sS"); }
};

TEST(Examples, TheSimulationsWorldSurvivesEdits) {
  const std::string host = program("AUTORELOAD_EXAMPLE_SIMULATION");
  if (host.empty()) GTEST_SKIP() << "built without the carrier of state";
  working_copy library("simulation", "garden");
  running loop({host, library.library()});
  const garden first(loop.line());
  EXPECT_EQ(first.day, 1);
  EXPECT_EQ(first.picture, "...h....h............s..................");
  // What every day must show, however often the library was edited: nothing begins again.
  const auto goes_on = [&](const std::string& said) {
    loop.line_with(said);
    garden now(loop.line_with("day "));
    EXPECT_EQ(now.steps, 3 * now.day) << said;
    // On some days a hare stands on it.
    while (now.snail() == std::string::npos && !HasFailure()) now = garden(loop.line_with("day "));
    EXPECT_EQ(now.snail(), static_cast<std::size_t>(20 + now.day) % 40) << said;
    return now;
  };
  library.edit("a->name[0];", "a->name[0] - 'a' + 'A';");
  EXPECT_NE(goes_on("kept 3 of 3 variables").picture.find('H'), std::string::npos);
  library.edit("struct animal {", "struct animal {\n  int age;");
  library.edit("++a->steps;", "++a->steps;\n    ++a->age;");
  const int young = goes_on("`struct animal.age` is new").day;
  library.edit("hop_width = 3", "hop_width = 7");
  const int old = goes_on("`hop_width` reset: its initialiser changed").day;
  EXPECT_GT(old, young);
  library.edit("\n    ++a->age;", "");
  library.edit("\n  int age;", "");
  goes_on("`struct animal.age` dropped");
}

TEST(Examples, TheFrameLoopDrawsTheNewPictureAndTheWorldGoesOn) {
  working_copy scene("frame_loop", "scene");
  running loop({program("AUTORELOAD_EXAMPLE_FRAME_LOOP"), scene.library()});
  EXPECT_EQ(loop.line(), "     1 |o                              |");
  scene.edit("'o'", "'*'");
  const std::string drawn = loop.line_with("*");
  EXPECT_GT(std::atoi(drawn.c_str()), 1) << "the host's world must outlive the library: " << drawn;
  loop.signal(SIGTERM);
  EXPECT_EQ(loop.wait(), 0);
}

TEST(Examples, TheFrameLoopWaitsForALibraryThatIsNotBuiltYet) {
  working_copy scene("frame_loop", "scene");
  std::filesystem::remove(scene.library());
  running loop({program("AUTORELOAD_EXAMPLE_FRAME_LOOP"), scene.library()});
  scene.edit("'o'", "'*'");
  EXPECT_EQ(loop.line(), "     1 |*                              |");
}

// A client of the server's.
class client {
 public:
  explicit client(int port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{support::patience.count(), 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  ~client() { close(socket_); }

  [[nodiscard]] std::string ask(const std::string& question) const {
    if (send(socket_, (question + "\n").c_str(), question.size() + 1, MSG_NOSIGNAL) < 0) return "(closed)";
    std::string answer;
    for (char letter = 0; recv(socket_, &letter, 1, 0) == 1 && letter != '\n';) answer += letter;
    return answer;
  }

 private:
  int socket_;
};

TEST(Examples, TheServerAnswersEveryRequestThroughAReload) {
  working_copy handler("server", "handler");
  running server({program("AUTORELOAD_EXAMPLE_SERVER"), handler.library()});
  const std::string port = server.line_with("port ");
  ASSERT_TRUE(port.starts_with("port ")) << port;
  const int number = std::atoi(port.c_str() + 5);

  std::atomic<bool> edited{false};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&, name = "client " + std::to_string(i)] {
      const client one(number);
      EXPECT_EQ(one.ask(name), "hello, " + name);
      std::string answer;
      const auto deadline = std::chrono::steady_clock::now() + support::patience;
      do {
        const bool finished = edited;
        answer = one.ask(name);
        EXPECT_TRUE(answer == "hello, " + name || (answer == "welcome, " + name)) << answer;
        if (answer.empty() || (finished && std::chrono::steady_clock::now() > deadline)) break;
      } while (answer != "welcome, " + name);
      EXPECT_EQ(one.ask("again"), "welcome, again");
    });
  }
  handler.edit("hello", "welcome");
  edited = true;
  for (std::thread& one : clients) one.join();
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
}

TEST(Examples, TheEventLoopTakesTheDescriptorBesideItsOwnInput) {
  working_copy greeting("event_loop", "greeting");
  running loop({program("AUTORELOAD_EXAMPLE_EVENT_LOOP"), greeting.library()});
  EXPECT_EQ(loop.line(), "version 1");
  loop.send("Ann\n");
  EXPECT_EQ(loop.line(), "Good morning, Ann.");
  greeting.edit("morning", "evening");
  EXPECT_EQ(loop.line(), "version 2") << "without any input of its own, the loop must wake up";
  loop.send("Bob\nCleo\n");
  EXPECT_EQ(loop.line(), "Good evening, Bob.");
  EXPECT_EQ(loop.line(), "Good evening, Cleo.");
  loop.end_input();
  EXPECT_EQ(loop.wait(), 0);
}

TEST(Examples, EachOfSeveralLibrariesIsReplacedByItself) {
  working_copy shift("several_libraries", "shift");
  working_copy mirror("several_libraries", "mirror");
  running chain({program("AUTORELOAD_EXAMPLE_SEVERAL_LIBRARIES"), shift.library(), mirror.library()});
  chain.send("abc\n");
  EXPECT_EQ(chain.line(), "shift 1: bcd, and back");
  EXPECT_EQ(chain.line(), "mirror 1: dcb");

  shift.edit("shift_by(text, 1)", "shift_by(text, 2)");
  std::string first;
  const auto deadline = std::chrono::steady_clock::now() + support::patience;
  while (!first.starts_with("shift 2") && std::chrono::steady_clock::now() < deadline) {
    chain.send("abc\n");
    first = chain.line();
    EXPECT_TRUE(chain.line().starts_with("mirror 1: ")) << "the other library must stay as it was";
  }
  EXPECT_EQ(first, "shift 2: cde, but not back: bcd");
  chain.end_input();
  EXPECT_EQ(chain.wait(), 0);
}

TEST(Examples, TheAudioThreadPlaysOnLouder) {
  working_copy synth("audio_thread", "synth");
  running audio({program("AUTORELOAD_EXAMPLE_AUDIO_THREAD"), synth.library()});
  EXPECT_EQ(audio.line(), "peak 0.25");
  synth.edit("0.25F", "0.75F");
  EXPECT_EQ(audio.line(), "peak 0.75");
  audio.signal(SIGTERM);
  EXPECT_EQ(audio.wait(), 0);
}

// A program in C or a script in Python, which calls through the C interface of live_greeter.h.
void goes_on_with_the_new_greeting(std::vector<std::string> words) {
  working_copy greeter("from_c_and_python", "greeter");
  std::filesystem::remove(greeter.library());
  words.push_back(greeter.library());
  running host(std::move(words));
  EXPECT_EQ(host.line(), "(not built yet)");
  greeter.build();
  const std::string before = host.line_with("hello");
  greeter.edit("hello", "welcome");
  const std::string after = host.line_with("welcome");
  EXPECT_GT(std::atoi(after.c_str() + sizeof "welcome,"), std::atoi(before.c_str() + sizeof "hello,"))
      << "the count of guests is the host's, so it goes on: " << before << ", " << after;
}

TEST(Examples, AProgramInCGoesOnWithTheNewGreeting) {
  goes_on_with_the_new_greeting({program("AUTORELOAD_EXAMPLE_FROM_C")});
}

TEST(Examples, AScriptInPythonGoesOnWithTheNewGreeting) {
  const std::string python = program("AUTORELOAD_EXAMPLE_PYTHON");
  if (python.empty()) GTEST_SKIP() << "a sanitizer's runtime would have to be in the interpreter";
  goes_on_with_the_new_greeting({python, program("AUTORELOAD_EXAMPLES") + "/from_c_and_python/host.py",
                                 program("AUTORELOAD_EXAMPLE_LIVE_GREETER")});
}

// strict_thread.c ends the process as soon as the audio thread allocates, locks or enters the kernel within a call.
class StrictAudio : public testing::Test {
 protected:
  void SetUp() override {
    const std::string library = program("AUTORELOAD_STRICT_THREAD");
    if (library.empty()) GTEST_SKIP() << "sanitizers have an allocator of their own";
    file_ = open(library.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(file_, 0) << library;
  }
  void TearDown() override { close(file_); }
  // By its descriptor here, since the loader takes a space in a path for its end.
  [[nodiscard]] std::vector<std::string> variables() const {
    return {"LD_PRELOAD=/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file_)};
  }

  // How the process ends once this code stands at the start of the library's function.
  [[nodiscard]] int ends_after(const std::string& code) const {
    working_copy synth("audio_thread", "synth");
    running audio({program("AUTORELOAD_EXAMPLE_AUDIO_THREAD"), synth.library()}, variables());
    EXPECT_EQ(audio.line(), "peak 0.25");
    synth.edit("  for (", "  " + code + "\n  for (");
    return audio.wait();
  }

 private:
  int file_ = -1;
};

TEST_F(StrictAudio, NeitherAllocatesNorLocksNorEntersTheKernelWhileItsLibraryIsReplaced) {
  working_copy synth("audio_thread", "synth");
  running audio({program("AUTORELOAD_EXAMPLE_AUDIO_THREAD"), synth.library()}, variables());
  EXPECT_EQ(audio.line(), "peak 0.25");
  std::string now = "0.25F";
  for (const char* const next : {"0.5F", "0.75F", "0.125F"}) {
    synth.edit(now, next);
    now = next;
    EXPECT_NE(audio.line_with("peak"), "(nothing)") << "the audio thread was ended: it did what it must not";
  }
}

TEST_F(StrictAudio, IsCaughtWhenItAllocates) {
  EXPECT_EQ(ends_after("extern void* malloc(unsigned long);\n  static void* volatile kept;\n  kept = malloc(16);"),
            -SIGABRT);
}

TEST_F(StrictAudio, IsCaughtWhenItTakesALock) {
  EXPECT_EQ(ends_after("extern int pthread_mutex_lock(void*);\n  static long mutex[8];\n  pthread_mutex_lock(mutex);"),
            -SIGABRT);
}

TEST_F(StrictAudio, IsCaughtWhenItEntersTheKernel) {
  EXPECT_EQ(ends_after("extern long syscall(long, ...);\n#include <sys/syscall.h>\n  syscall(SYS_getppid);"), -SIGSYS);
}

TEST(Examples, TheSystemsLibrariesAreReplacedLikeAnUpgradeWould) {
  const std::string example = program("AUTORELOAD_EXAMPLE_SYSTEM_LIBRARY");
  if (example.empty()) GTEST_SKIP() << "built without zlib's header";
  // Where the loader of this system finds them.
  const auto found = [](const std::string& name) {
    const std::string said = support::shell("ldconfig -p || /sbin/ldconfig -p");
    const std::size_t at = said.find("=> ", said.find("\t" + name + " "));
    return at == std::string::npos ? "" : said.substr(at + 3, said.find('\n', at) - at - 3);
  };
  const std::string zlib = found("libz.so.1");
  const std::string math = found("libm.so.6");
  if (zlib.empty() || math.empty()) GTEST_SKIP() << "no libz.so.1 or no libm.so.6";

  const support::temp_directory directory;
  std::filesystem::create_symlink(zlib, directory / "libz.so.1");
  running host({example, directory / "libz.so.1", math});
  const std::string first = host.line_with("zlib ");
  EXPECT_NE(first.find(": 1000 bytes packed into 17, and back"), std::string::npos) << first;
  EXPECT_TRUE(host.line_with("libm: ").starts_with("libm: cbrt(27) = 3, exp10(2) = "));

  // The upgrade: a new file beside the old one, and the link switched to it.
  support::write_file(directory / "new.c",
                      "#include <string.h>\n"
                      "const char* zlibVersion(void) { return \"9.9\"; }\n"
                      "unsigned long compressBound(unsigned long size) { return size; }\n"
                      "int compress2(void* to, unsigned long* n, const void* from, unsigned long size, int level) {\n"
                      "  (void)level; memcpy(to, from, *n = size); return 0;\n}\n"
                      "int uncompress(void* to, unsigned long* n, const void* from, unsigned long size) {\n"
                      "  memcpy(to, from, *n = size); return 0;\n}\n");
  support::shell(support::c_compiler() + " -shared -fPIC -o '" + (directory / "libz.so.9.9") + "' '" +
                 (directory / "new.c") + "'");
  std::filesystem::create_symlink("libz.so.9.9", directory / "libz.new");
  std::filesystem::rename(directory / "libz.new", directory / "libz.so.1");
  EXPECT_EQ(host.line_with("zlib "), "zlib 9.9: 1000 bytes packed into 1000, and back");
  host.signal(SIGTERM);
  EXPECT_EQ(host.wait(), 0);
}

}  // namespace
