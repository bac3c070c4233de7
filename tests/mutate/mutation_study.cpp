// SPDX-License-Identifier: MIT
// mutation_study: thousands of damaged libraries, each put in the place of a good one that a program runs; what does
// the program do?
//
//   mutation_study [--mode engine|trial|digest|dlopen] [--seed N] [--variants N] [--jobs N] [--at-most PERCENT]
//                  [--json FILE] [--keep DIRECTORY] LIBRARY...
//
// Every LIBRARY is a build of subject.c. Each is studied twice, as it is and without its section table. A variant is
// made from the seed, the library and its number alone, so a run can be repeated on any machine, in any order.
//
// A child process is the program: it loads the good library by a reloadable, the variant is renamed over the file, and
// at last the good one again. `engine` is the engine as it comes, `trial` adds the trial load, `digest` a digest in
// every library, which is required (the damage may hit it, too), and `dlopen` is the program that has no engine and
// loads whatever is there.
//
// Prints Markdown, progress on standard error. Ends with status 1 when more than PERCENT crashed or hung, when with a
// trial one did so while it was loaded, when with a digest one crashed at all or was wrong, and when a program that
// refused a variant was any worse for it.
// --keep writes each variant that crashed to the directory, under a name that says what was done to it.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "damage.hpp"
#include "digest/digest.hpp"
#include "reload/inspect/inspect.hpp"
#include "subject.h"

namespace {

using namespace std::chrono_literals;
using namespace mutate;

// ---- what can happen to a variant ----------------------------------------------------------------------------------

enum class outcome : std::uint8_t {
  waiting,     // taken for a linker's unfinished work
  by_inspect,  // refused by a stage of the engine, or by dlopen
  by_trial,
  by_loader,
  correct,
  wrong,
  in_loading,  // crashed or hung, and where
  in_call,
  in_unloading,
  worse,  // refused, but then the old generation was wrong or the next good library was not loaded
};
constexpr std::array<const char*, 10> outcome_names{
    "waiting",          "refused by inspect", "refused by the trial", "refused by the loader", "loaded and correct",
    "loaded and wrong", "crashed in loading", "crashed in a call",    "crashed in unloading",  "worse for a refusal"};

constexpr bool is_crash(outcome is) {
  return is == outcome::in_loading || is == outcome::in_call || is == outcome::in_unloading;
}

enum class mode : std::uint8_t { engine, trial, digest, dlopen };

// ---- the program under study ---------------------------------------------------------------------------------------

struct subject_api {
  autoreload::required<::subject_primes> primes;
  autoreload::required<::subject_sum> sum;
  autoreload::required<::subject_word> word;
  autoreload::required<::subject_apply> apply;
  autoreload::required<::subject_switch> choose;
  autoreload::required<::subject_count> count;
  autoreload::required<::subject_sort> sort;
  autoreload::required<::subject_text> text;
  autoreload::required<::subject_per_thread> per_thread;
  autoreload::required<::subject_own_call> own_call;
  autoreload::required<::subject_farewell> farewell;
};

// Calls everything that is called for the first time, and compares. A library is whole only when every answer is right.
bool all_is_right(const subject_api& api, int& said) {
  api.farewell(&said);
  bool right = api.sum(&(*api.primes)[0], 8) == 77;
  right &= std::strcmp(api.word(3), "three") == 0 && std::strcmp(api.word(7), "seven") == 0 &&
           std::strcmp(api.word(8), "many") == 0;
  right &= api.apply(0, 7, 3) == 10 && api.apply(1, 7, 3) == 4 && api.apply(2, 7, 3) == 21 && api.apply(3, 7, 3) == 2;
  right &= api.apply(9, 8, 2) == 4;
  const int counted = api.count();
  right &= counted > 100 && api.own_call(3) == 3 * (counted + 1);
  const std::array<int, 8> chosen{5, 'o', counted + 1, 0, 44, -5, 66, 49};
  for (int i = 0; i != 8; ++i) {
    const int wanted = i == 3 ? api.per_thread(0) + 3 : chosen[static_cast<std::size_t>(i)];
    right &= api.choose(i) == wanted;
  }
  std::array<int, 7> values{5, 3, 9, -1, 7, 0, 2};
  api.sort(values.data(), values.size());
  right &= std::is_sorted(values.begin(), values.end());
  char buffer[32];
  right &= api.text(buffer, sizeof buffer, 12) == 7 && std::strcmp(buffer, "four-12") == 0;
  const int mine = api.per_thread(2);
  return right && mine >= 7 && api.per_thread(3) == mine + 3;
}

// Where the program is, for the one who finds it dead. Shared memory, one writer at a time, read after its end. Damaged
// code may write there: then it is none of these.
enum class phase : std::uint8_t { loading = 0x4c, call = 0x63, unloading = 0x75, afterwards = 0xa6 };

struct program {
  std::string directory;
  const bytes& good;
  const bytes& variant;
  volatile phase& at;

  [[nodiscard]] std::string path() const { return directory + "/lib.so"; }

  void put(const bytes& content) const {
    const std::string made = directory + "/new.so";
    const int file = open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size())) std::abort();
    // Of an age at which zeros in code are taken for meant: how many only wait for that age is no credit.
    const timespec long_ago[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
    futimens(file, long_ago);
    close(file);
    if (rename(made.c_str(), path().c_str()) != 0) std::abort();
  }

  // What a program does that has no engine.
  [[nodiscard]] outcome by_dlopen() const {
    put(variant);
    at = phase::loading;
    auto loaded = autoreload::symbols::module<subject_api>::load(path().c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!loaded) return outcome::by_loader;
    at = phase::call;
    int said = 0;
    const bool right = all_is_right((*loaded).api(), said);
    at = phase::unloading;
    (void)(*loaded).unload();
    return right && said == 77 ? outcome::correct : outcome::wrong;
  }

  [[nodiscard]] outcome by_engine(mode how) const {
    put(good);
    autoreload::event_queue events;
    autoreload::options chosen;
    chosen.drive = autoreload::drive_mode::manual;
    chosen.trial.enabled = how == mode::trial || how == mode::digest;
    chosen.require_digest = how == mode::digest;
    chosen.trial.time_limit = 3s;
    chosen.observer = events.observer();
    autoreload::reloadable<subject_api> library(path(), chosen);
    int ignored = 0;
    if (!library.loaded() || !all_is_right(*library.pin(), ignored)) return outcome::worse;
    while (events.next()) continue;

    put(variant);
    at = phase::loading;
    if (chosen.trial.enabled && variant != good) {  // which on request would be loaded again
      (void)library.reload();                       // waits for the trial
    } else {
      library.poll();
    }
    outcome is = outcome::waiting;
    while (const auto happened = events.next()) {
      if (happened->kind != autoreload::event_kind::refused) continue;
      const auto stage = happened->failure->at();
      is = stage == autoreload::stage::inspect ? outcome::by_inspect
           : stage == autoreload::stage::trial ? outcome::by_trial
                                               : outcome::by_loader;
    }
    int said = 0;
    const bool loaded = library.generation() == 2;
    at = loaded ? phase::call : phase::afterwards;
    const bool right = all_is_right(*library.pin(), said);
    if (loaded) is = right ? outcome::correct : outcome::wrong;
    if (!loaded && !right) return outcome::worse;

    at = loaded ? phase::unloading : phase::afterwards;
    put(good);
    library.poll();
    if (loaded && !gone(library, events, 2)) is = outcome::wrong;
    if (is == outcome::correct && said != 77) is = outcome::wrong;
    if (loaded) return is;
    // Its content is what runs, so there is nothing to load, and nothing is waited for any more.
    return library.last_failure() || !all_is_right(*library.pin(), ignored) ? outcome::worse : is;
  }

  // Until the engine has unloaded a generation, or has said why it can't.
  static bool gone(autoreload::reloadable<subject_api>& library, autoreload::event_queue& events,
                   std::uint64_t number) {
    for (int round = 0; round < 200; ++round) {
      while (const auto happened = events.next()) {
        if (happened->generation != number) continue;
        if (happened->kind == autoreload::event_kind::unloaded) return true;
        if (happened->kind == autoreload::event_kind::retained) return false;
      }
      pollfd waiting{library.descriptor(), POLLIN, 0};
      ::poll(&waiting, 1, 100);
      library.poll();
    }
    return false;
  }
};

// ---- children ------------------------------------------------------------------------------------------------------

struct settings {
  mode how = mode::engine;
  std::uint64_t seed = 1;
  std::size_t variants = 10'000;
  std::size_t jobs = 2;
  double at_most = 100;  // percent
  std::string json, keep;
  std::vector<std::string> libraries;
};

pid_t in_a_child(const program& one, mode how) {
  std::fflush(nullptr);
  one.at = phase::loading;
  const pid_t child = fork();
  if (child != 0) return child;
  const rlimit no_core{0, 0}, memory{rlim_t{4} << 30, rlim_t{4} << 30}, seconds{5, 5};
  setrlimit(RLIMIT_CORE, &no_core);
  setrlimit(RLIMIT_AS, &memory);
  setrlimit(RLIMIT_CPU, &seconds);  // an endless loop ends by this, whatever else the machine does
  const itimerval limit{{0, 0}, {30, 0}};
  setitimer(ITIMER_REAL, &limit, nullptr);  // and a deadlock by that
  const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : {0, 1, 2}) dup2(nowhere, fd);
  // Offset, so that an exit that the library itself makes is not mistaken for an answer.
  _exit(static_cast<int>(how == mode::dlopen ? one.by_dlopen() : one.by_engine(how)) + 100);
}

outcome outcome_of(int status, phase at) {
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) - 100 : -1;
  if (code >= 0 && code < static_cast<int>(outcome_names.size())) return static_cast<outcome>(code);
  switch (at) {
    case phase::loading: return outcome::in_loading;
    case phase::unloading: return outcome::in_unloading;
    case phase::afterwards: return outcome::worse;
    case phase::call: break;
  }
  return outcome::in_call;
}

using counts = std::array<std::size_t, outcome_names.size()>;

std::size_t total(const counts& of) {
  std::size_t sum = 0;
  for (const std::size_t n : of) sum += n;
  return sum;
}

std::size_t crashes(const counts& of) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i != of.size(); ++i) sum += is_crash(static_cast<outcome>(i)) ? of[i] : 0;
  return sum;
}

class study_run {
 public:
  study_run(const settings& how, const std::vector<subject>& subjects)
      : how_(how), subjects_(subjects), directory_(std::filesystem::temp_directory_path() / "mutation-study-XXXXXX") {
    void* const shared = mmap(nullptr, how.jobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || mkdtemp(directory_.data()) == nullptr) {
      std::perror("mutation_study");
      std::exit(2);
    }
    phases_ = static_cast<phase*>(shared);
    for (std::size_t i = 0; i != how.jobs; ++i) {
      std::filesystem::create_directory(place(i));
      free_.push_back(i);
    }
  }
  study_run(const study_run&) = delete;
  study_run& operator=(const study_run&) = delete;
  ~study_run() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
    munmap(phases_, how_.jobs);
  }

  // What becomes of a library that is not damaged: a study in which that does not work would prove nothing.
  outcome undamaged(const subject& whole) {
    int status = 0;
    waitpid(in_a_child({place(0), whole.content, other_build(whole), phases_[0]}, how_.how), &status, 0);
    return outcome_of(status, phases_[0]);
  }

  // Every child that ends makes room for the next one.
  void run() {
    const std::size_t each = (how_.variants + subjects_.size() - 1) / subjects_.size();
    for (std::size_t s = 0; s != subjects_.size(); ++s) {
      for (std::size_t n = 0; n != each; ++n) {
        if (free_.empty()) collect();
        start(s, n);
      }
      std::fprintf(stderr, "%s%zu of %zu libraries, %zu crashed", isatty(STDERR_FILENO) != 0 ? "\r" : "\n", s + 1,
                   subjects_.size(), bad.size());
    }
    while (!under_way_.empty()) collect();
    std::fputs("\n", stderr);
  }

  struct crash {
    std::size_t of;
    damage kind;
    std::string what, place;
    outcome is;
  };
  std::map<std::pair<std::size_t, damage>, counts> counted;  // by subject and kind of damage
  std::vector<crash> bad;

 private:
  struct variant {
    std::size_t of;
    damage kind;
    std::size_t number;
    std::size_t slot;
  };

  [[nodiscard]] std::string place(std::size_t slot) const { return directory_ + "/" + std::to_string(slot); }

  // The same library, but not the same bytes, or the engine would see nothing to load.
  static bytes other_build(const subject& whole) {
    bytes other = whole.content;
    const bool has_digest = autoreload::digest_line_of(other).has_value();  // which stays at the end
    other.insert(other.end() - (has_digest ? autoreload::digest_line_size : 0), std::byte{0});
    return other;
  }

  std::string make(const variant& one, bytes& content) const {
    dice with(how_.seed * 0x2545f4914f6cdd1d + one.of * 1'000'003 + one.number);
    return apply(one.kind, subjects_[one.of], with, content);
  }

  void start(std::size_t s, std::size_t n) {
    const variant one{s, static_cast<damage>((s + n) % damage_names.size()), n, free_.back()};
    free_.pop_back();
    bytes content;
    (void)make(one, content);
    const pid_t child = in_a_child({place(one.slot), subjects_[s].content, content, phases_[one.slot]}, how_.how);
    if (child < 0) {
      std::perror("fork");
      std::exit(2);
    }
    under_way_[child] = one;
  }

  void collect() {
    int status = 0;
    const pid_t child = wait(&status);
    const auto at = under_way_.find(child);
    if (at == under_way_.end()) return;
    const variant one = at->second;
    under_way_.erase(at);
    free_.push_back(one.slot);
    const outcome is = outcome_of(status, phases_[one.slot]);
    ++counted[{one.of, one.kind}][static_cast<std::size_t>(is)];
    if (!is_crash(is) && is != outcome::worse) return;
    bytes content;
    std::string what = make(one, content);
    if (!how_.keep.empty()) keep(one, what, content);
    // Every other subject is the one before it without its sections.
    bad.push_back({one.of, one.kind, std::move(what),
                   place_of(subjects_[one.of], subjects_[one.of & ~std::size_t{1}], content), is});
  }

  void keep(const variant& one, const std::string& what, const bytes& content) const {
    std::string name = subjects_[one.of].name + "-" + damage_names[static_cast<std::size_t>(one.kind)] + what;
    for (char& c : name) {
      if (c == ' ' || c == ',' || c == '/') c = '_';
    }
    std::filesystem::create_directories(how_.keep);
    std::ofstream out(std::filesystem::path(how_.keep) / name.substr(0, 200), std::ios::binary);
    out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  }

  const settings& how_;
  const std::vector<subject>& subjects_;
  std::string directory_;
  phase* phases_ = nullptr;
  std::vector<std::size_t> free_;
  std::map<pid_t, variant> under_way_;
};

// ---- the report ----------------------------------------------------------------------------------------------------

double percent_bad(const counts& of) {
  return total(of) == 0 ? 0.0 : 100.0 * static_cast<double>(crashes(of)) / static_cast<double>(total(of));
}

void print_row(const std::string& name, const counts& of) {
  std::printf("| %s | %zu |", name.c_str(), total(of));
  for (const std::size_t n : of) std::printf(" %zu |", n);
  std::printf(" %.2f %% |\n", percent_bad(of));
}

std::string json_counts(const counts& of) {
  std::string out = "{";
  for (std::size_t i = 0; i != of.size(); ++i) {
    out += (i == 0 ? "\"" : ", \"") + std::string(outcome_names[i]) + "\": " + std::to_string(of[i]);
  }
  return out + "}";
}

constexpr std::array<const char*, 4> mode_names{"engine", "trial", "digest", "dlopen"};

bool write_json(const settings& how, const std::vector<subject>& subjects, const study_run& run) {
  std::ofstream out(how.json);
  out << "{\n \"mode\": \"" << mode_names[static_cast<std::size_t>(how.how)] << "\",\n \"seed\": " << how.seed
      << ",\n \"counts\": [";
  const char* separator = "\n";
  for (const auto& [key, of] : run.counted) {
    const subject& whole = subjects[key.first];
    out << separator << "  {\"library\": \"" << whole.name << "\", \"bytes\": " << whole.content.size()
        << ", \"damage\": \"" << damage_names[static_cast<std::size_t>(key.second)] << "\", \"of\": " << json_counts(of)
        << "}";
    separator = ",\n";
  }
  out << "\n ],\n \"crashes\": [";
  separator = "\n";
  for (const study_run::crash& one : run.bad) {
    out << separator << "  {\"library\": \"" << subjects[one.of].name << "\", \"damage\": \""
        << damage_names[static_cast<std::size_t>(one.kind)] << "\", \"what\": \"" << one.what << "\", \"place\": \""
        << one.place << "\", \"outcome\": \"" << outcome_names[static_cast<std::size_t>(one.is)] << "\"}";
    separator = ",\n";
  }
  out << "\n ]\n}\n";
  if (!out.flush()) std::fprintf(stderr, "mutation_study: can't write %s\n", how.json.c_str());
  return out.good();
}

// The exit status.
int report(const settings& how, const std::vector<subject>& subjects, const study_run& run) {
  std::map<damage, counts> by_damage;
  counts all{};
  for (const auto& [key, of] : run.counted) {
    for (std::size_t i = 0; i != of.size(); ++i) {
      by_damage[key.second][i] += of[i];
      all[i] += of[i];
    }
  }
  std::printf("Seed %llu, %zu variants of %zu libraries, mode %s.\n\n| damage | variants |",
              static_cast<unsigned long long>(how.seed), total(all), subjects.size(),
              mode_names[static_cast<std::size_t>(how.how)]);
  for (const char* name : outcome_names) std::printf(" %s |", name);
  std::printf(" crashed in all |\n| --- | --- |");
  for (std::size_t i = 0; i != outcome_names.size(); ++i) std::printf(" --- |");
  std::printf(" --- |\n");
  for (const auto& [kind, of] : by_damage) print_row(damage_names[static_cast<std::size_t>(kind)], of);
  print_row("**all**", all);
  std::printf("\n");
  for (const study_run::crash& one : run.bad) {
    std::printf("%s: %s, %s%s, in %s\n", outcome_names[static_cast<std::size_t>(one.is)], subjects[one.of].name.c_str(),
                damage_names[static_cast<std::size_t>(one.kind)], one.what.c_str(), one.place.c_str());
  }
  if (!how.json.empty() && !write_json(how, subjects, run)) return 2;
  const auto number = [&](outcome of) { return all[static_cast<std::size_t>(of)]; };
  const bool broken = (how.how == mode::trial && number(outcome::in_loading) != 0) ||
                      (how.how == mode::digest && crashes(all) + number(outcome::wrong) != 0);
  return percent_bad(all) > how.at_most || broken || number(outcome::worse) != 0 ? 1 : 0;
}

[[noreturn]] void usage() {
  std::fprintf(stderr,
               "usage: mutation_study [--mode engine|trial|digest|dlopen] [--seed N] [--variants N] [--jobs N] "
               "[--at-most PERCENT] [--json FILE] [--keep DIRECTORY] LIBRARY...\n");
  std::exit(2);
}

std::uint64_t number(const char* text) {
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text, &end, 10);
  if (end == text || *end != '\0' || *text == '-') usage();
  return value;
}

settings read_arguments(int argc, char** argv) {
  settings how;
  for (int i = 1; i != argc; ++i) {
    const std::string_view name = argv[i];
    const auto value = [&]() -> const char* {
      if (i + 1 == argc) usage();
      return argv[++i];
    };
    if (name == "--mode") {
      const auto found = std::find(mode_names.begin(), mode_names.end(), std::string_view(value()));
      if (found == mode_names.end()) usage();
      how.how = static_cast<mode>(found - mode_names.begin());
    } else if (name == "--seed") {
      how.seed = number(value());
    } else if (name == "--variants") {
      how.variants = number(value());
    } else if (name == "--jobs") {
      how.jobs = std::max<std::size_t>(number(value()), 1);
    } else if (name == "--at-most") {
      how.at_most = std::strtod(value(), nullptr);
    } else if (name == "--json") {
      how.json = value();
    } else if (name == "--keep") {
      how.keep = value();
    } else if (name.starts_with("-")) {
      usage();
    } else {
      how.libraries.emplace_back(name);
    }
  }
  if (how.libraries.empty()) usage();
  return how;
}

void add_digest(bytes& content) {
  const std::string line = autoreload::digest_line(content, autoreload::inspect(content).facts.segments);
  const auto* const text = reinterpret_cast<const std::byte*>(line.data());
  content.insert(content.end(), text, text + line.size());
}

}  // namespace

int main(int argc, char** argv) {
  const settings how = read_arguments(argc, argv);
  std::vector<subject> subjects;
  for (const std::string& path : how.libraries) {
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in || text.size() < sizeof(Elf64_Ehdr)) {
      std::fprintf(stderr, "mutation_study: can't read %s\n", path.c_str());
      return 2;
    }
    const auto* const content = reinterpret_cast<const std::byte*>(text.data());
    subjects.push_back(study(std::filesystem::path(path).filename(), {content, content + text.size()}));
    subjects.push_back(without_sections(subjects.back()));
    if (how.how == mode::digest) {
      for (std::size_t of_this : {2U, 1U}) add_digest(subjects[subjects.size() - of_this].content);
    }
  }
  study_run run(how, subjects);
  for (const subject& whole : subjects) {
    if (const outcome is = run.undamaged(whole); is != outcome::correct) {
      std::fprintf(stderr, "mutation_study: the undamaged %s is %s\n", whole.name.c_str(),
                   outcome_names[static_cast<std::size_t>(is)]);
      return 2;
    }
  }
  run.run();
  return report(how, subjects, run);
}
