// SPDX-License-Identifier: MIT
// program_file: reads the program's headers before it is started.
#include "exec/program_file.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string_view>

#include "elf/sections.hpp"
#include "exec/copy_plan.hpp"
#include "exec/exports.hpp"
#include "exec/files.hpp"
#include "exec/user_library.hpp"
#include "system/mapped_file.hpp"

namespace autoreload::exec {
namespace {

bool can_run(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(path.c_str(), X_OK) == 0;
}

std::string found_in_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return can_run(name) ? name : std::string();
  const char* const path = std::getenv("PATH");
  std::istringstream list(path != nullptr ? path : "/bin:/usr/bin");
  for (std::string directory; std::getline(list, directory, ':');) {
    std::string whole = (directory.empty() ? "." : directory) + "/" + name;
    if (can_run(whole)) return whole;
  }
  return {};
}

std::string_view text_of(const mapped_file& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

// The words of a `#!` line: the interpreter, and what stands behind it as one argument.
std::vector<std::string> interpreter_of(std::string_view head) {
  std::string line(head.substr(2, head.find('\n') - 2));
  const auto trim = [&] {
    line.erase(0, std::min(line.find_first_not_of(" \t"), line.size()));
    line.erase(line.find_last_not_of(" \t\r") + 1);
  };
  trim();
  std::vector<std::string> words{line.substr(0, line.find_first_of(" \t"))};
  line.erase(0, words[0].size());
  trim();
  if (!line.empty()) words.push_back(line);
  return words;
}

bool is_shell(const std::string& program) {
  static constexpr std::array<std::string_view, 7> shells{"sh", "bash", "dash", "ksh", "zsh", "fish", "busybox"};
  return std::find(shells.begin(), shells.end(), base_of(program)) != shells.end();
}

class judgement {
 public:
  judgement(const std::string& path, std::span<const std::byte> bytes) : path_(path), bytes_(bytes) {}

  result<void> run() const {
    Elf64_Ehdr header;
    if (bytes_.size() < sizeof header || std::memcmp(bytes_.data(), ELFMAG, SELFMAG) != 0) {
      return refuse("this is neither a program nor a script", "name a program");
    }
    std::memcpy(&header, bytes_.data(), sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64) {
      return refuse("it is a 32-bit program", "build it for 64 bits: stand-ins and the agent are for x86-64");
    }
    if (header.e_machine != EM_X86_64 || this_machine != elf_machine::x86_64) {
      return refuse("it is no program for x86-64", "only those can get stand-ins, so far");
    }
    if (result<void> rights = judge_rights(); !rights) return rights;
    return judge_loader();
  }

 private:
  error refuse(const std::string& reason, const std::string& advice) const {
    return error(stage::use, path_, reason).advise(advice);
  }

  // The loader of such a program heeds no LD_PRELOAD with a path.
  result<void> judge_rights() const {
    struct stat status {};
    if (stat(path_.c_str(), &status) != 0) return refuse("its status can't be read", "name a program that you may run");
    const bool other_user = (status.st_mode & S_ISUID) != 0 && status.st_uid != geteuid();
    const bool other_group = (status.st_mode & S_ISGID) != 0 && status.st_gid != getegid();
    const bool capable = geteuid() != 0 && getxattr(path_.c_str(), "security.capability", nullptr, 0) > 0;
    if (!other_user && !other_group && !capable) return {};
    return refuse(
        "it gets rights that you don't have (set-user-ID, set-group-ID or file capabilities), so the loader lets "
        "nobody put a library in front of its own",
        "try a copy of it without them: cp \"" + path_ + "\" ./" + base_of(path_));
  }

  result<void> judge_loader() const {
    std::string interpreter;
    bool is_dynamic = false;
    const elf_view file{bytes_, {}, 0};
    for (const Elf64_Phdr part : file.program_headers()) {
      is_dynamic |= part.p_type == PT_DYNAMIC;
      if (part.p_type != PT_INTERP || !file.has(part.p_offset, part.p_filesz)) continue;
      interpreter.assign(reinterpret_cast<const char*>(bytes_.data() + part.p_offset), part.p_filesz);
    }
    interpreter.resize(std::min(interpreter.find('\0'), interpreter.size()));
    if (interpreter.empty()) {
      return refuse("it is linked statically, so it has no library that could be replaced",
                    is_dynamic ? "link it as a usual program, without -static-pie" : "link it without -static");
    }
    if (base_of(interpreter).starts_with("ld-musl")) {
      return refuse("it runs with musl, whose loader takes no stand-in for a needed library",
                    "build it with glibc, or host the library with autoreload::reloadable");
    }
    if (!base_of(interpreter).starts_with("ld-linux")) {
      return refuse("its loader, \"" + interpreter + "\", is not glibc's", "build it with glibc");
    }
    return {};
  }

  const std::string& path_;
  std::span<const std::byte> bytes_;
};

// The run time of the address sanitizer looks at its place when it starts, and ends the program.
result<void> judge_needed(const std::string& path, const dynamic_tables& tables) {
  for (const Elf64_Dyn& entry : tables.entries) {
    if (entry.d_tag != DT_NEEDED) continue;
    const std::string name(string_at(tables.strings, entry.d_un.d_val));
    if (!name.starts_with("libasan.") && !name.starts_with("libclang_rt.asan")) continue;
    return error(stage::use, path, "it needs " + name + ", which must be the first of its libraries")
        .advise("build it without the address sanitizer, or with its run time inside (-static-libasan)");
  }
  return {};
}

// What the dynamic loader knows of it.
result<std::vector<std::string>> functions_of(const std::string& path, std::span<const std::byte> bytes) {
  const std::vector<load_segment> segments = segments_of(bytes);
  const elf_view file{bytes, segments, 0};
  std::vector<std::string> names;
  if (const auto tables = tables_of(file)) {
    if (result<void> judged = judge_needed(path, *tables); !judged) return judged.error();
    for (exported_symbol& one : exports_of(file, *tables)) {
      if (one.is_function()) names.push_back(std::move(one.name));
    }
  }
  return names;
}

}  // namespace

result<program_file> find_program(const std::vector<std::string>& words) {
  program_file found{.path = found_in_path(words.front()), .words = words, .functions = {}};
  if (found.path.empty()) {
    return error(stage::use, words.front(), "there is no such program").advise("name one that is in PATH, or its path");
  }
  // Not read: it may be large, and the system is about to map it itself.
  mapped_file file(found.path.c_str());
  for (int depth = 0; text_of(file).starts_with("#!") && depth < 4; ++depth) {
    const std::string script = found.path;
    std::vector<std::string> line = interpreter_of(text_of(file));
    const bool by_env = base_of(line[0]) == "env" && line.size() == 2 && line[1].find(' ') == std::string::npos;
    if (by_env) line.erase(line.begin());
    if (is_shell(line[0])) {
      return error(stage::use, script, "it is a script that " + base_of(line[0]) + " runs")
          .advise("name the program itself that the script starts in the end");
    }
    found.path = found_in_path(line[0]);
    if (found.path.empty()) return error(stage::use, script, "there is no " + line[0] + ", which shall run it");
    found.words[0] = script;
    found.words.insert(found.words.begin(), line.begin(), line.end());
    file = mapped_file(found.path.c_str());
  }
  if (file.bytes().empty()) {
    return error(stage::use, found.path, "it can't be read").advise("give yourself the right to read it");
  }
  if (result<void> judged = judgement(found.path, file.bytes()).run(); !judged) return judged.error();
  auto functions = functions_of(found.path, file.bytes());
  if (!functions) return functions.error();
  found.functions = *std::move(functions);
  return found;
}

}  // namespace autoreload::exec
