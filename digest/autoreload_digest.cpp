// SPDX-License-Identifier: MIT
// autoreload_digest: appends a digest to a shared library, the last step of its build, for options::require_digest.
//
//   autoreload-digest LIBRARY [OUTPUT]
//
// OUTPUT appears complete under its name (a rename), LIBRARY itself where none is named. A library that has a digest
// gets a new one. One that is incomplete or damaged gets none: it would pass for a good one ever after.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "digest/digest.hpp"
#include "reload/inspect/inspect.hpp"
#include "system/unique_fd.hpp"

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  std::fprintf(stderr, "autoreload-digest: \"%s\": %s\n", path.c_str(), why.c_str());
  std::exit(1);
}

[[noreturn]] void fail_by_errno(const std::string& path) { fail(path, std::generic_category().message(errno)); }

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in), {}};
  if (!in) fail_by_errno(path);
  return content;
}

std::span<const std::byte> bytes_of(const std::string& content) { return std::as_bytes(std::span(content)); }

// Whatever machine it is for: the build may be a cross build.
autoreload::inspection inspected(const std::string& content) {
  constexpr std::size_t machine_at = 18;
  std::uint16_t machine = 0;
  if (content.size() >= machine_at + 2) std::memcpy(&machine, content.data() + machine_at, 2);
  const bool known = machine == static_cast<unsigned>(autoreload::elf_machine::x86_64) ||
                     machine == static_cast<unsigned>(autoreload::elf_machine::aarch64);
  // The linker has ended, or it would not be this tool's turn.
  return autoreload::inspect(bytes_of(content),
                             known ? static_cast<autoreload::elf_machine>(machine) : autoreload::this_machine,
                             autoreload::writing::is_over);
}

void write_beside(const std::string& path, const std::string& content, mode_t mode) {
  std::string name = path + ".XXXXXX";
  const autoreload::unique_fd file(mkostemp(name.data(), O_CLOEXEC));
  if (!file) fail_by_errno(name);
  const auto give_up = [&] {
    const int reason = errno;
    unlink(name.c_str());
    errno = reason;
    fail_by_errno(path);
  };
  for (std::string_view rest = content; !rest.empty();) {
    const ssize_t put = write(file.get(), rest.data(), rest.size());
    if (put < 0 && errno != EINTR) give_up();
    if (put > 0) rest.remove_prefix(static_cast<std::size_t>(put));
  }
  if (fchmod(file.get(), mode & 07777) != 0 || rename(name.c_str(), path.c_str()) != 0) give_up();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3 || argv[1][0] == '-') {
    const bool asked = argc == 2 && std::strcmp(argv[1], "--help") == 0;
    std::fputs("usage: autoreload-digest LIBRARY [OUTPUT]\n", asked ? stdout : stderr);
    return asked ? 0 : 2;
  }
  const std::string from = argv[1];
  struct stat status {};
  if (stat(from.c_str(), &status) != 0) fail_by_errno(from);
  std::string content = read_file(from);
  if (autoreload::digest_line_of(bytes_of(content))) content.resize(content.size() - autoreload::digest_line_size);
  const autoreload::inspection seen = inspected(content);
  if (seen.is != autoreload::verdict::sound) fail(from, seen.reason);
  content += autoreload::digest_line(bytes_of(content), seen.facts.segments);
  // A name that leads to the library goes on leading to it.
  char* const real = argc == 2 ? realpath(argv[1], nullptr) : nullptr;
  write_beside(argc == 3 ? argv[2] : real != nullptr ? real : from, content, status.st_mode);
  std::free(real);
}
