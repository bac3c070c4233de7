// SPDX-License-Identifier: MIT
// crash_words: addresses become places by the mappings, the symbols and the line table.
#include "crash_words.hpp"

#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "crash/source_place.hpp"
#include "library.hpp"
#include "library_types.hpp"
#include "system/hexadecimal.hpp"
#include "system/signal_name.hpp"

namespace autoreload::command {

namespace {

struct mapping {
  std::uint64_t begin;
  std::uint64_t end;
  std::uint64_t base;  // of the file, as the loader has it
  std::string path;
  ino_t inode;
};

std::vector<mapping> mappings_of(pid_t process) {
  std::vector<mapping> list;
  std::ifstream file("/proc/" + std::to_string(process) + "/maps");
  for (std::string line; std::getline(file, line);) {
    unsigned long long begin = 0;
    unsigned long long end = 0;
    unsigned long long offset = 0;
    unsigned long long inode = 0;
    int path = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx %*s %llx %*s %llu %n", &begin, &end, &offset, &inode, &path) < 4) continue;
    const std::string name = path > 0 ? line.substr(static_cast<std::size_t>(path)) : "";
    const bool goes_on = !list.empty() && list.back().inode == inode && list.back().path == name && offset != 0;
    list.push_back({begin, end, goes_on ? list.back().base : begin, name, static_cast<ino_t>(inode)});
  }
  return list;
}

class places {
 public:
  places(pid_t child, const std::string& library) : library_(library), mappings_(mappings_of(child)) {
    struct stat status {};
    if (stat(library.c_str(), &status) == 0) inode_ = status.st_ino;
  }

  const mapping* at(std::uint64_t address) const {
    for (const mapping& m : mappings_) {
      if (address >= m.begin && address < m.end) return &m;
    }
    return nullptr;
  }
  bool in_library(const mapping* m) const { return m != nullptr && inode_ != 0 && m->inode == inode_; }

  /// `poke at lib.c:12`, or as much as is known.
  std::string words(std::uint64_t address, bool caller) {
    const mapping* const where = at(address);
    if (where == nullptr) return "at " + hexadecimal(address) + ", where no code is";
    const std::string& path = in_library(where) ? library_ : where->path;
    const std::uint64_t relative = address - where->base - (caller ? 1 : 0);  // a caller's is after its call
    const std::vector<std::byte> bytes = bytes_of(path);
    const function_place function = find_function(bytes, relative);
    std::string text = function.name.empty() ? hexadecimal(relative) : std::string(function.name);
    if (!in_library(where)) return "in " + text + " of " + std::filesystem::path(path).filename().string();
    return "in " + text + line_words(bytes, relative);
  }

  crash_place placed(std::string words) const { return {std::move(words), file_, static_cast<unsigned>(line_)}; }

 private:
  std::string line_words(const std::vector<std::byte>& bytes, std::uint64_t relative) {
    line_place line = find_line(bytes, relative);
    std::vector<std::byte> separate;
    if (line.file.empty()) {
      result<library> opened = library::open(library_);
      const std::string debug = opened ? debug_file_of(*opened) : "";
      if (!debug.empty() && debug != library_) separate = bytes_of(debug);
      line = find_line(separate, relative);
    }
    if (line.file.empty() || line.line == 0) return "";
    // The place of the library's own code that is nearest to the crash.
    if (file_.empty()) {
      file_ = (std::filesystem::path(line.root) / line.directory / line.file).string();
      line_ = line.line;
    }
    return " at " + std::filesystem::path(line.file).filename().string() + ":" + std::to_string(line.line);
  }

  std::string library_;
  std::vector<mapping> mappings_;
  ino_t inode_ = 0;
  std::string file_;
  std::uint64_t line_ = 0;
};

bool is_address_signal(int signal) { return signal == SIGSEGV || signal == SIGBUS; }

}  // namespace

crash_place crash_place_of(const crash_record& crash, pid_t child, const std::string& library) {
  places known(child, library);
  const char* const name = signal_name(crash.signal);
  std::string text = name != nullptr ? name : "signal " + std::to_string(crash.signal);
  const mapping* const here = known.at(crash.instruction);
  std::string called_by;
  if (!known.in_library(here)) {
    for (int i = 0; i < crash.frames; ++i) {
      const std::uint64_t caller = crash.callers[static_cast<std::size_t>(i)];
      if (!known.in_library(known.at(caller - 1))) continue;
      called_by = known.words(caller, true);
      break;
    }
  }
  // How abort() comes to its signal is of no interest.
  if (crash.signal == SIGABRT && !called_by.empty()) return known.placed(text + ", by abort() " + called_by);
  text += " " + known.words(crash.instruction, false);
  if (!called_by.empty()) text += ", called " + called_by;
  constexpr std::uint64_t near = 1 << 16;
  if (is_address_signal(crash.signal)) {
    const std::uint64_t distance = crash.fault > crash.stack ? crash.fault - crash.stack : crash.stack - crash.fault;
    // From user space the kernel tells no address for one that no memory can have.
    if (crash.code == SI_KERNEL) {
      text += ", at an address that no memory can have";
    } else {
      text += ", address " + (crash.fault == 0 ? std::string("NULL") : hexadecimal(crash.fault));
      if (distance < near) text += ": the stack is full, as after endless recursion";
    }
  }
  return known.placed(std::move(text));
}

}  // namespace autoreload::command
