// SPDX-License-Identifier: MIT
// mutation_study: damages real libraries in thousands of ways, lets a child load and call each, and counts what
// happened.
//
//   mutation_study [--seed N] [--variants N] [--jobs N] [--without-inspect] [--at-most PERCENT]
//                  [--json FILE] [--keep FOLDER] LIBRARY...
//
// Every LIBRARY is a build of subject.c. Each is studied twice, as it is and without its section table. A variant is
// made from the seed, the library and its number alone, so a run can be repeated on any machine, in any order.
// Prints Markdown. Ends with status 1 when more than PERCENT crashed or hung. --keep writes each variant that crashed
// to the folder, under a name that says what was done to it.
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inspect.hpp"
#include "subject.h"

namespace {

using bytes = std::vector<std::byte>;

// ---- what can happen to a variant ----------------------------------------------------------------------------------

enum class outcome : std::uint8_t { incomplete, refused, not_loaded, correct, wrong, crashed, hung };
constexpr std::array<const char*, 7> outcome_names{
    "incomplete", "refused", "refused by dlopen", "loaded and correct", "loaded and wrong", "crashed", "hung"};

// ---- the step under study ------------------------------------------------------------------------------------------

template <class T>
T* symbol(void* library, const char* name, bool& all_there) {
  void* const address = dlsym(library, name);
  all_there &= address != nullptr;
  return reinterpret_cast<T*>(address);
}

// Calls everything and compares. The library is whole only when every answer is right.
outcome call_everything(void* library, int& said) {
  bool there = true;
  const auto primes = symbol<const int>(library, "subject_primes", there);
  const auto sum = symbol<decltype(subject_sum)>(library, "subject_sum", there);
  const auto word = symbol<decltype(subject_word)>(library, "subject_word", there);
  const auto apply = symbol<decltype(subject_apply)>(library, "subject_apply", there);
  const auto choose = symbol<decltype(subject_switch)>(library, "subject_switch", there);
  const auto count = symbol<decltype(subject_count)>(library, "subject_count", there);
  const auto sort = symbol<decltype(subject_sort)>(library, "subject_sort", there);
  const auto text = symbol<decltype(subject_text)>(library, "subject_text", there);
  const auto per_thread = symbol<decltype(subject_per_thread)>(library, "subject_per_thread", there);
  const auto own_call = symbol<decltype(subject_own_call)>(library, "subject_own_call", there);
  const auto farewell = symbol<decltype(subject_farewell)>(library, "subject_farewell", there);
  if (!there) return outcome::not_loaded;

  farewell(&said);
  bool right = sum(primes, 8) == 77;
  right &=
      std::strcmp(word(3), "three") == 0 && std::strcmp(word(7), "seven") == 0 && std::strcmp(word(8), "many") == 0;
  right &= apply(0, 7, 3) == 10 && apply(1, 7, 3) == 4 && apply(2, 7, 3) == 21 && apply(3, 7, 3) == 2;
  right &= apply(9, 8, 2) == 4 && count() == 101 && own_call(3) == 306;
  const std::array<int, 8> chosen{5, 'o', 102, 8, 44, -5, 66, 49};
  for (int i = 0; i != 8; ++i) right &= choose(i) == chosen[static_cast<std::size_t>(i)];
  std::array<int, 7> values{5, 3, 9, -1, 7, 0, 2};
  sort(values.data(), values.size());
  right &= std::is_sorted(values.begin(), values.end());
  char buffer[32];
  right &= text(buffer, sizeof buffer, 12) == 7 && std::strcmp(buffer, "four-12") == 0;
  right &= per_thread(2) == 7 && per_thread(3) == 10;
  return right ? outcome::correct : outcome::wrong;
}

// From a file's bytes to its unloading: what a reloader does with them. Runs in a child of its own.
outcome load_and_call(std::span<const std::byte> file, bool with_inspect) {
  if (with_inspect) {
    switch (autoreload::inspect(file).is) {
      case autoreload::verdict::sound: break;
      case autoreload::verdict::incomplete: return outcome::incomplete;
      case autoreload::verdict::wrong: return outcome::refused;
    }
  }
  const int fd = memfd_create("variant", MFD_CLOEXEC);
  if (fd < 0 || write(fd, file.data(), file.size()) != static_cast<ssize_t>(file.size())) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return outcome::not_loaded;
  int said = 0;
  const outcome called = call_everything(library, said);
  dlclose(library);
  close(fd);
  if (called == outcome::correct && said != 77) return outcome::wrong;
  return called;
}

// ---- damage --------------------------------------------------------------------------------------------------------

class dice {  // splitmix64
 public:
  explicit dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t roll() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : static_cast<std::size_t>(roll() % limit); }

 private:
  std::uint64_t state_;
};

struct field {
  std::size_t offset;
  std::size_t size;
};

template <class T>
T record(const bytes& file, std::size_t offset) {
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

// A library that is whole, and where its headers and tables are.
struct subject {
  std::string name;
  bytes content;
  std::vector<field> headers;  // fields of the ELF, program and section headers and of the dynamic section
  std::vector<field> tables;   // words of the symbols, hashes, versions, relocations and function arrays
};

void add_words(std::vector<field>& to, std::size_t offset, std::size_t size, std::size_t word) {
  for (std::size_t at = 0; at + word <= size; at += word) to.push_back({offset + at, word});
}

subject study(std::string name, bytes content) {
  subject made{std::move(name), std::move(content), {}, {}};
  const auto header = record<Elf64_Ehdr>(made.content, 0);
  for (const std::size_t at : {4u, 5u, 6u, 7u, 8u}) made.headers.push_back({at, 1});
  add_words(made.headers, 16, 4, 2);
  add_words(made.headers, 20, 4, 4);
  add_words(made.headers, 24, 24, 8);
  add_words(made.headers, 48, 4, 4);
  add_words(made.headers, 52, 12, 2);
  for (std::size_t i = 0; i != header.e_phnum; ++i) {
    const std::size_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
    add_words(made.headers, at, 8, 4);
    add_words(made.headers, at + 8, sizeof(Elf64_Phdr) - 8, 8);
    const auto segment = record<Elf64_Phdr>(made.content, at);
    if (segment.p_type == PT_DYNAMIC) add_words(made.headers, segment.p_offset, segment.p_filesz, 8);
  }
  for (std::size_t i = 0; i != header.e_shnum; ++i) {
    const std::size_t at = header.e_shoff + i * sizeof(Elf64_Shdr);
    add_words(made.headers, at, 8, 4);
    add_words(made.headers, at + 8, 32, 8);
    add_words(made.headers, at + 40, 8, 4);
    add_words(made.headers, at + 48, 16, 8);
    const auto section = record<Elf64_Shdr>(made.content, at);
    if ((section.sh_flags & SHF_ALLOC) == 0) continue;
    switch (section.sh_type) {
      case SHT_DYNSYM:
        for (std::size_t s = 0; s + 24 <= section.sh_size; s += 24) {
          const std::size_t symbol_at = section.sh_offset + s;
          made.tables.insert(made.tables.end(), {{symbol_at, 4},
                                                 {symbol_at + 4, 1},
                                                 {symbol_at + 5, 1},
                                                 {symbol_at + 6, 2},
                                                 {symbol_at + 8, 8},
                                                 {symbol_at + 16, 8}});
        }
        break;
      case SHT_RELA:
      case SHT_RELR:
      case SHT_INIT_ARRAY:
      case SHT_FINI_ARRAY: add_words(made.tables, section.sh_offset, section.sh_size, 8); break;
      case SHT_HASH:
      case SHT_GNU_HASH:
      case SHT_GNU_verneed:
      case SHT_GNU_verdef: add_words(made.tables, section.sh_offset, section.sh_size, 4); break;
      case SHT_GNU_versym: add_words(made.tables, section.sh_offset, section.sh_size, 2); break;
      default: break;
    }
  }
  return made;
}

// What `strip --strip-section-headers` and packers leave: the file ends with the last segment.
subject without_sections(const subject& whole) {
  subject made = whole;
  made.name += ", no sections";
  auto header = record<Elf64_Ehdr>(made.content, 0);
  std::uint64_t end = 0;
  for (std::size_t i = 0; i != header.e_phnum; ++i) {
    const auto segment = record<Elf64_Phdr>(made.content, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_LOAD) end = std::max(end, segment.p_offset + segment.p_filesz);
  }
  header.e_shoff = 0;
  header.e_shnum = header.e_shstrndx = 0;
  std::memcpy(made.content.data(), &header, sizeof header);
  made.content.resize(end);
  const auto gone = [&](const field& f) { return f.offset + f.size > end; };
  std::erase_if(made.headers, gone);
  std::erase_if(made.tables, gone);
  return made;
}

enum class damage : std::uint8_t { truncated, bit_flipped, headers_rewritten, tables_rewritten, range_zeroed };
constexpr std::array<const char*, 5> damage_names{"truncated", "bit flipped", "header fields rewritten",
                                                  "table words rewritten", "range zeroed"};

// A field gets what bugs and half-done writes put there: nothing, everything, a neighbour's value, nearly the right
// one.
std::uint64_t bad_value(dice& with, std::uint64_t was, std::uint64_t other) {
  switch (with.below(10)) {
    case 0: return 0;
    case 1: return ~std::uint64_t{0};
    case 2: return was + 1;
    case 3: return was - 1;
    case 4: return was ^ (std::uint64_t{1} << with.below(64));
    case 5: return was + 8;
    case 6: return was + 0x1000;
    case 7: return other;
    case 8: return with.roll();
    default: return with.below(256);
  }
}

std::string rewrite(bytes& content, const std::vector<field>& fields, dice& with) {
  std::string what;
  for (std::size_t times = 1 + with.below(2); times != 0; --times) {
    const field& f = fields[with.below(fields.size())];
    const field& from = fields[with.below(fields.size())];
    std::uint64_t was = 0, other = 0;
    std::memcpy(&was, content.data() + f.offset, f.size);
    std::memcpy(&other, content.data() + from.offset, from.size);
    const std::uint64_t value = bad_value(with, was, other);
    std::memcpy(content.data() + f.offset, &value, f.size);
    what += "-at-" + std::to_string(f.offset);
  }
  return what;
}

// Damages a copy, and says how.
std::string apply(damage kind, const subject& whole, dice& with, bytes& content) {
  content = whole.content;
  switch (kind) {
    case damage::truncated: content.resize(with.below(content.size())); return "-to-" + std::to_string(content.size());
    case damage::bit_flipped: {
      const std::size_t at = with.below(content.size());
      content[at] ^= std::byte{1} << with.below(8);
      return "-at-" + std::to_string(at);
    }
    case damage::headers_rewritten: return rewrite(content, whole.headers, with);
    case damage::tables_rewritten: return rewrite(content, whole.tables, with);
    case damage::range_zeroed: {
      // Lengths from 8 bytes to all of it, each order of magnitude alike; half of the ranges are whole disk blocks.
      std::size_t length = std::size_t{8} << with.below(12);
      length += with.below(length);
      std::size_t start = with.below(content.size());
      if (with.below(2) == 0) {
        start &= ~std::size_t{511};
        length = (length + 511) & ~std::size_t{511};
      }
      length = std::min(length, content.size() - start);
      std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(start), length, std::byte{0});
      return "-from-" + std::to_string(start) + "-length-" + std::to_string(length);
    }
  }
  return {};
}

// ---- children ------------------------------------------------------------------------------------------------------

struct settings {
  std::uint64_t seed = 1;
  std::size_t variants = 10'000;
  std::size_t jobs = 2;
  bool with_inspect = true;
  double at_most = 100;  // percent
  std::string json, keep;
  std::vector<std::string> libraries;
};

pid_t in_a_child(const bytes& content, bool with_inspect) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  const rlimit no_core{0, 0}, memory{rlim_t{4} << 30, rlim_t{4} << 30};
  setrlimit(RLIMIT_CORE, &no_core);
  setrlimit(RLIMIT_AS, &memory);
  const itimerval limit{{0, 0}, {2, 0}};
  setitimer(ITIMER_REAL, &limit, nullptr);
  const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : {0, 1, 2}) dup2(nowhere, fd);
  // Offset, so that an exit that the library itself makes is not mistaken for an answer.
  _exit(static_cast<int>(load_and_call(content, with_inspect)) + 100);
}

outcome outcome_of(int status) {
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGALRM ? outcome::hung : outcome::crashed;
  const int code = WEXITSTATUS(status) - 100;
  if (code < 0 || code > static_cast<int>(outcome::wrong)) return outcome::crashed;
  return static_cast<outcome>(code);
}

using counts = std::array<std::size_t, outcome_names.size()>;

std::size_t total(const counts& of) {
  std::size_t sum = 0;
  for (const std::size_t n : of) sum += n;
  return sum;
}

class study_run {
 public:
  study_run(const settings& how, const std::vector<subject>& subjects) : how_(how), subjects_(subjects) {}

  // Every child that ends makes room for the next one.
  void run() {
    const std::size_t each = (how_.variants + subjects_.size() - 1) / subjects_.size();
    for (std::size_t s = 0; s != subjects_.size(); ++s) {
      for (std::size_t n = 0; n != each; ++n) {
        if (under_way_.size() >= how_.jobs) collect();
        start(s, n);
      }
    }
    while (!under_way_.empty()) collect();
  }

  std::map<std::pair<std::size_t, damage>, counts> counted;  // by subject and kind of damage

 private:
  struct variant {
    std::size_t of;
    damage kind;
    std::size_t number;
    std::string what;
  };

  void start(std::size_t s, std::size_t n) {
    dice with(how_.seed * 0x2545f4914f6cdd1d + s * 1'000'003 + n);
    const auto kind = static_cast<damage>(n % damage_names.size());
    std::string what = apply(kind, subjects_[s], with, content_);
    const pid_t child = in_a_child(content_, how_.with_inspect);
    if (child < 0) {
      std::perror("fork");
      std::exit(2);
    }
    under_way_[child] = {s, kind, n, std::move(what)};
  }

  void collect() {
    int status = 0;
    const pid_t child = wait(&status);
    const auto at = under_way_.find(child);
    if (at == under_way_.end()) return;
    const variant v = std::move(at->second);
    under_way_.erase(at);
    const outcome is = outcome_of(status);
    ++counted[{v.of, v.kind}][static_cast<std::size_t>(is)];
    if ((is == outcome::crashed || is == outcome::hung) && !how_.keep.empty()) keep(v);
  }

  void keep(const variant& v) {
    dice with(how_.seed * 0x2545f4914f6cdd1d + v.of * 1'000'003 + v.number);
    bytes content;
    (void)apply(v.kind, subjects_[v.of], with, content);
    std::string name = subjects_[v.of].name + "-" + damage_names[static_cast<std::size_t>(v.kind)] + v.what;
    for (char& c : name) {
      if (c == ' ' || c == ',' || c == '/') c = '_';
    }
    std::filesystem::create_directories(how_.keep);
    std::ofstream out(std::filesystem::path(how_.keep) / name.substr(0, 200), std::ios::binary);
    out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  }

  const settings& how_;
  const std::vector<subject>& subjects_;
  std::map<pid_t, variant> under_way_;
  bytes content_;
};

// ---- the report ----------------------------------------------------------------------------------------------------

double percent_bad(const counts& of) {
  const std::size_t bad = of[static_cast<std::size_t>(outcome::crashed)] + of[static_cast<std::size_t>(outcome::hung)];
  return total(of) == 0 ? 0.0 : 100.0 * static_cast<double>(bad) / static_cast<double>(total(of));
}

void print_row(const std::string& name, const counts& of) {
  std::printf("| %s | %zu |", name.c_str(), total(of));
  for (const std::size_t n : of) std::printf(" %zu |", n);
  std::printf(" %.2f %% |\n", percent_bad(of));
}

void print_head(const char* of) {
  std::printf("\n| %s | variants |", of);
  for (const char* name : outcome_names) std::printf(" %s |", name);
  std::printf(" crashed or hung |\n| --- | --- |");
  for (std::size_t i = 0; i != outcome_names.size(); ++i) std::printf(" --- |");
  std::printf(" --- |\n");
}

std::string json_counts(const counts& of) {
  std::string out = "{";
  for (std::size_t i = 0; i != of.size(); ++i) {
    out += (i == 0 ? "\"" : ", \"") + std::string(outcome_names[i]) + "\": " + std::to_string(of[i]);
  }
  return out + "}";
}

// The exit status.
int report(const settings& how, const std::vector<subject>& subjects, const study_run& run) {
  std::map<damage, counts> by_damage;
  std::vector<counts> by_subject(subjects.size());
  counts all{};
  for (const auto& [key, of] : run.counted) {
    for (std::size_t i = 0; i != of.size(); ++i) {
      by_damage[key.second][i] += of[i];
      by_subject[key.first][i] += of[i];
      all[i] += of[i];
    }
  }
  std::printf("Seed %llu, %zu variants of %zu libraries, %s.\n", static_cast<unsigned long long>(how.seed), total(all),
              subjects.size(), how.with_inspect ? "with inspect" : "without inspect");
  print_head("damage");
  for (const auto& [kind, of] : by_damage) print_row(damage_names[static_cast<std::size_t>(kind)], of);
  print_row("**all**", all);
  print_head("library");
  for (std::size_t s = 0; s != subjects.size(); ++s) print_row(subjects[s].name, by_subject[s]);

  const int status = percent_bad(all) > how.at_most ? 1 : 0;
  if (how.json.empty()) return status;
  std::ofstream out(how.json);
  out << "{\n  \"seed\": " << how.seed << ",\n  \"with_inspect\": " << (how.with_inspect ? "true" : "false")
      << ",\n  \"variants\": " << total(all) << ",\n  \"all\": " << json_counts(all) << ",\n  \"by_damage\": {";
  const char* separator = "\n";
  for (const auto& [kind, of] : by_damage) {
    out << separator << "    \"" << damage_names[static_cast<std::size_t>(kind)] << "\": " << json_counts(of);
    separator = ",\n";
  }
  out << "\n  },\n  \"by_library\": {";
  separator = "\n";
  for (std::size_t s = 0; s != subjects.size(); ++s) {
    out << separator << "    \"" << subjects[s].name << "\": " << json_counts(by_subject[s]);
    separator = ",\n";
  }
  out << "\n  }\n}\n";
  if (out) return status;
  std::fprintf(stderr, "mutation_study: can't write %s\n", how.json.c_str());
  return 2;
}

[[noreturn]] void usage() {
  std::fprintf(stderr,
               "usage: mutation_study [--seed N] [--variants N] [--jobs N] [--without-inspect] [--at-most PERCENT] "
               "[--json FILE] [--keep FOLDER] LIBRARY...\n");
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
    if (name == "--seed") {
      how.seed = number(value());
    } else if (name == "--variants") {
      how.variants = number(value());
    } else if (name == "--jobs") {
      how.jobs = std::max<std::size_t>(number(value()), 1);
    } else if (name == "--without-inspect") {
      how.with_inspect = false;
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

}  // namespace

int main(int argc, char** argv) {
  const settings how = read_arguments(argc, argv);
  std::vector<subject> subjects;
  for (const std::string& path : how.libraries) {
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto content = std::as_bytes(std::span(text));
    if (!in || text.size() < sizeof(Elf64_Ehdr)) {
      std::fprintf(stderr, "mutation_study: can't read %s\n", path.c_str());
      return 2;
    }
    subjects.push_back(study(std::filesystem::path(path).filename(), {content.begin(), content.end()}));
    subjects.push_back(without_sections(subjects.back()));
  }
  // A study of libraries that do not even work undamaged would prove nothing.
  for (const subject& whole : subjects) {
    int status = 0;
    waitpid(in_a_child(whole.content, how.with_inspect), &status, 0);
    const outcome is = outcome_of(status);
    if (is != outcome::correct) {
      std::fprintf(stderr, "mutation_study: the undamaged %s is %s\n", whole.name.c_str(),
                   outcome_names[static_cast<std::size_t>(is)]);
      return 2;
    }
  }
  study_run run(how, subjects);
  run.run();
  return report(how, subjects, run);
}
