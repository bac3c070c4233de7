// SPDX-License-Identifier: MIT
// autoreload-guard-helper: describes the symbols of one ELF file and ends. The host starts it and reads its answer.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "types/helper/dwarf_reader.hpp"
#include "types/request.hpp"

namespace {

using namespace autoreload::types;

// Sanitizers reserve terabytes of addresses.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool may_limit_memory = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool may_limit_memory = false;
#else
constexpr bool may_limit_memory = true;
#endif
#else
constexpr bool may_limit_memory = true;
#endif

void limit(__rlimit_resource_t what, rlim_t value) {
  const rlimit both{value, value};
  setrlimit(what, &both);
}

// A damaged file may ask for any amount of memory or time. The host stops waiting in time anyway; this is for the
// machine's sake, and for the case that the host is gone.
void limit_resources(const request& ask) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, ask.seconds + 1);
  rlim_t files = 0;
  for (const int file : {helper_file, helper_debug_file}) {
    struct stat status {};
    if (fstat(file, &status) == 0) files += static_cast<rlim_t>(status.st_size);
  }
  if (may_limit_memory) limit(RLIMIT_AS, (rlim_t{512} << 20) + 8 * files);  // compressed sections grow
}

std::string read_all(int file) {
  std::string bytes;
  std::array<char, 65536> part;
  ssize_t got = 0;
  while ((got = read(file, part.data(), part.size())) > 0) bytes.append(part.data(), static_cast<std::size_t>(got));
  return bytes;
}

bool write_all(int file, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = write(file, bytes.data() + done, bytes.size() - done);
    if (put <= 0) return false;
    done += static_cast<std::size_t>(put);
  }
  return true;
}

}  // namespace

int main() {
  // A person who starts it by hand has neither the descriptor nor a request.
  struct stat status {};
  if (fstat(helper_file, &status) != 0 || !S_ISREG(status.st_mode)) {
    write_all(STDERR_FILENO, "autoreload-guard-helper is started by autoreload's ABI guard, not by hand\n");
    return 2;
  }
  const request ask = decode_request(read_all(STDIN_FILENO));
  limit_resources(ask);
  const std::string answer = encode(describe(ask, helper_file, ask.separate ? helper_debug_file : -1));
  return write_all(STDOUT_FILENO, answer) ? EXIT_SUCCESS : EXIT_FAILURE;
}
