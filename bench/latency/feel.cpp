// SPDX-License-Identifier: MIT
// feel: compiles and links the callee with each linker, under a running engine.
#include "feel.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "engine_series.hpp"

namespace bench {
namespace {

class process {
 public:
  explicit process(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    const int failure = posix_spawnp(&id_, pointers[0], nullptr, nullptr, pointers.data(), environ);
    if (failure != 0) throw std::system_error(failure, std::generic_category(), words[0]);
  }
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process() { (void)ended(0); }

  [[nodiscard]] bool ended(int options) {
    if (id_ != 0 && waitpid(id_, &status_, options) == id_) id_ = 0;
    return id_ == 0;
  }
  [[nodiscard]] bool succeeded() const noexcept { return WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }

 private:
  pid_t id_ = 0;
  int status_ = 0;
};

template <std::size_t Linker>
class compiled final : public series {
 public:
  sample measure() override {
    const auto number = static_cast<std::int32_t>(++count_ % 100);  // every build is another
    std::vector<std::string> words(compiler.begin(), compiler.end());
    for (std::string word : {"-shared", "-fPIC", "-O1", "-g", "-fvisibility=hidden"}) words.push_back(std::move(word));
    words.push_back("-fuse-ld=" + std::string(linkers[Linker]));
    words.push_back("-DCALLEE_BUILD=" + std::to_string(number));
    words.insert(words.end(), {"-o", callee_.path(), callee_source});

    sample took;
    const auto start = steady::now();
    process running(words);
    // A program that calls now and then: the processors are the compiler's.
    while (callee_.library()->build() != number) {
      if (!took.built && running.ended(WNOHANG)) took.built = steady::now() - start;
      if (took.built && !running.succeeded()) throw std::runtime_error("the compiler failed");
      if (steady::now() - start > patience) throw std::runtime_error("the build never arrived");
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    took.total = steady::now() - start;
    (void)running.ended(0);
    if (!took.built) took.built = steady::now() - start;
    took.stages = callee_.settle();
    return took;
  }

 private:
  std::size_t count_ = 0;
  watched_callee<autoreload::symbols::backend> callee_{directory::on::disk, autoreload::watch_mode::inotify,
                                                       autoreload::drive_mode::background};
};

template <std::size_t... Linker>
void add_each(interleaved& all, std::index_sequence<Linker...>) {
  (all.add("feel/" + std::string(linkers[Linker]),
           "compile and link the callee with -fuse-ld=" + std::string(linkers[Linker]) + ", then the first new value",
           []() -> std::unique_ptr<series> { return std::make_unique<compiled<Linker>>(); }),
   ...);
}

}  // namespace

void register_feel(std::int64_t rounds) {
  const auto all = std::make_shared<interleaved>(placement(false));
  add_each(*all, std::make_index_sequence<linkers.size()>{});
  interleaved::register_rows(all, rounds);
}

}  // namespace bench
