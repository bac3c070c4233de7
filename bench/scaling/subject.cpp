// SPDX-License-Identifier: MIT
// subject: writes C and assembler source, and runs the C compiler on it.
#include "subject.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace bench {
namespace {

namespace fs = std::filesystem;

// Compilers make functions of a few hundred bytes; their number matters, because inspect looks at each one's frame
// description.
constexpr std::uint64_t bytes_of_function = 512;
constexpr std::uint64_t bytes_of_string = 64;

void run(const std::string& command) {
  FILE* const pipe = popen((command + " 2>&1").c_str(), "re");
  if (pipe == nullptr) throw std::runtime_error("popen: " + command);
  std::string output;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), got);
  }
  if (const int status = pclose(pipe); status != 0) throw std::runtime_error(command + " failed:\n" + output);
}

class source {
 public:
  explicit source(const fs::path& path) : path_(path), text_(path) {}
  template <class T>
  source& operator<<(const T& what) {
    text_ << what;
    return *this;
  }
  void close() {
    text_.close();
    if (!text_) throw std::runtime_error("can't write " + path_.string());
  }

 private:
  fs::path path_;
  std::ofstream text_;
};

// The part that both versions share. The directives are the same on every machine that GNU as knows.
void write_body(const fs::path& path, const recipe& wanted) {
  source text(path);
  const std::uint64_t functions = wanted.loaded / 2 / bytes_of_function;
  text << "  .text\n  .rept " << functions << "\n  .cfi_startproc\n  .fill " << bytes_of_function / 8
       << ", 8, 0x9090909090909090\n  .cfi_endproc\n  .endr\n";
  text << "  .section .rodata, \"a\", %progbits\n  .fill " << wanted.loaded / 2 / 8 << ", 8, 0x1122334455667788\n";
  text << "  .section .data.rel.ro, \"aw\", %progbits\n  .balign 8\ntable:\n";
  text << "  .rept " << wanted.relocations << "\n  .quad table\n  .endr\n";
  for (unsigned i = 0; i != wanted.bindings; ++i) text << "  .quad elsewhere_" << i << "\n";
  // Strings that the debug information may refer to: valid, and free to have any size.
  text << "  .section .debug_str, \"\", %progbits\n  .rept " << wanted.debug / bytes_of_string << "\n  .asciz \""
       << std::string(bytes_of_string - 1, 's') << "\"\n  .endr\n";
  text << "  .section .note.GNU-stack, \"\", %progbits\n";
  text.close();
}

void write_functions(const fs::path& path, const char* prefix, unsigned count) {
  source text(path);
  for (unsigned i = 0; i != count; ++i) text << "int " << prefix << i << "(int x) { return x + " << i << "; }\n";
  text.close();
}

std::string chosen_parent;

// In memory, where a rename costs no more than its system call, when there is room for all libraries of a full run.
directory place() {
  if (!chosen_parent.empty()) return directory(chosen_parent);
  constexpr std::uint64_t enough = std::uint64_t{4} << 30;
  std::error_code none;
  const fs::space_info room = fs::space("/dev/shm", none);
  return directory(!none && room.available >= enough ? directory::on::memory : directory::on::disk);
}

void write_out(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file >= 0) ::fsync(file);
  if (file >= 0) ::close(file);
}

}  // namespace

subject::subject(const recipe& wanted) : directory_(place()) {
  const fs::path here = directory_.path();
  fs::create_directory(here / "lib");
  const char* const given = std::getenv("CC");
  const std::string cc = given != nullptr ? given : "cc";
  const auto in = [&](const std::string& name) { return " '" + (here / name).string() + "'"; };
  const std::string shared = cc + " -shared -fPIC -O1 -Wl,--build-id -o";

  write_body(here / "body.s", wanted);
  run(cc + " -c -o" + in("body.o") + in("body.s"));
  write_functions(here / "functions.c", "exported_", wanted.functions - 1);
  run(cc + " -fPIC -O1 -c -o" + in("functions.o") + in("functions.c"));

  std::string needs;
  const auto need = [&](const std::string& name, const char* prefix, unsigned functions) {
    write_functions(here / (name + ".c"), prefix, functions);
    run(shared + in("lib/lib" + name + ".so") + " -Wl,-soname,lib" + name + ".so" + in(name + ".c"));
    needs += in("lib/lib" + name + ".so");
  };
  if (wanted.bindings != 0) need("elsewhere", "elsewhere_", wanted.bindings);
  for (unsigned i = 0; i != wanted.dependencies; ++i) {
    need("dependency" + std::to_string(i), ("dependency" + std::to_string(i) + "_").c_str(), 1);
  }
  if (!needs.empty()) needs = " -Wl,--no-as-needed" + needs + " -Wl,-rpath,'" + (here / "lib").string() + "'";
  for (const int version : {0, 1}) {
    const std::string name = "version" + std::to_string(version) + ".c";
    source text(here / name);
    text << "int value(void) { return " << value_of(version) << "; }\n";
    text.close();
    run(shared + " '" + file(version) + "'" + in(name) + in("body.o") + in("functions.o") + needs);
  }
  fs::remove(here / "body.s");
  fs::remove(here / "body.o");
}

std::string subject::file(int version) const { return directory_ / ("version" + std::to_string(version) + ".so"); }

void subject::stage(int version) const {
  replaced_.reset(std::fopen(path().c_str(), "re"));
  copy(version, path() + ".new");
  write_out(path() + ".new");
}

void subject::put() const {
  if (std::rename((path() + ".new").c_str(), path().c_str()) != 0) throw std::runtime_error("rename to " + path());
}

void subject::copy(int version, const std::string& to) const { fs::copy_file(file(version), to); }

void subject::make_in(const std::string& parent) { chosen_parent = parent; }

std::string subject::file_system() { return place().file_system(); }

std::uint64_t subject::file_size() const { return fs::file_size(file(0)); }

}  // namespace bench
