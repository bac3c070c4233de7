// SPDX-License-Identifier: MIT
// inspect_survey: runs inspect() on every installed library and asks dlopen, in a child, what it thinks of the same
// file.
//
//   inspect_survey [--json FILE] [--any-name] [DIRECTORY...]     (default: lib*.so* under /usr/lib)
//
// Prints a Markdown table of counts and every refusal with its reason. Ends with status 1 when a library for this
// machine that dlopen takes is refused for another reason than the ones that reloading must refuse.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "reload/inspect/inspect.hpp"

namespace {

namespace fs = std::filesystem;

struct opinion {
  bool loads = false;
  std::string error;  // dlerror's, or how the child ended
};

// Constructors of a stranger's library may do anything: print, exit, hang, crash.
opinion ask_dlopen(const std::string& path) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {false, "pipe2 failed"};
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return {false, "fork failed"};
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    alarm(20);
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {0, 1, 2}) dup2(nowhere, fd);
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) _exit(0);
    const char* const why = dlerror();
    if (write(ends[1], why, std::strlen(why)) < 0) _exit(2);
    _exit(1);
  }
  close(ends[1]);
  opinion said;
  char buffer[512];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
    said.error.append(buffer, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  said.loads = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (WIFSIGNALED(status)) said.error = std::string("killed by ") + strsignal(WTERMSIG(status));
  if (WIFEXITED(status) && said.error.empty() && !said.loads) {
    said.error = "a constructor ended the process with status " + std::to_string(WEXITSTATUS(status));
  }
  return said;
}

// Reasons that hold for a whole file that dlopen would take: reloading it would harm the process, not just fail.
bool must_be_refused(const std::string& reason) {
  return reason.find("stack") != std::string::npos || reason.find("writable and executable") != std::string::npos ||
         reason.find("text relocations") != std::string::npos;
}

std::string json_quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out + '"';
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<fs::path> directories;
  std::string json_path;
  bool any_name = false;  // plug-ins and Python modules do not begin with lib
  for (int i = 1; i != argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0 && i + 1 != argc) {
      json_path = argv[++i];
    } else if (std::strcmp(argv[i], "--any-name") == 0) {
      any_name = true;
    } else if (argv[i][0] == '-') {
      std::fprintf(stderr, "usage: inspect_survey [--json FILE] [--any-name] [DIRECTORY...]\n");
      return 2;
    } else {
      directories.emplace_back(argv[i]);
    }
  }
  if (directories.empty()) directories.emplace_back("/usr/lib");

  std::vector<fs::path> libraries;
  for (const fs::path& directory : directories) {
    std::error_code failed;
    for (fs::recursive_directory_iterator at(directory, fs::directory_options::skip_permission_denied, failed), end;
         at != end; at.increment(failed)) {
      const std::string name = at->path().filename();
      if (at->symlink_status().type() == fs::file_type::regular && (any_name || name.starts_with("lib")) &&
          name.find(".so") != std::string::npos) {
        libraries.push_back(at->path());
      }
    }
  }
  std::sort(libraries.begin(), libraries.end());

  struct refused_library {
    fs::path path;
    autoreload::inspection why;
    opinion said;
  };
  std::vector<refused_library> refused;
  std::map<std::string, int> warnings;
  int accepted = 0, accepted_and_loads = 0, unreadable = 0;
  std::uint64_t bytes = 0;
  std::chrono::nanoseconds spent{0};
  std::vector<std::pair<fs::path, std::string>> accepted_but_not_loaded;
  std::size_t looked_at = 0;
  for (const fs::path& path : libraries) {
    if (++looked_at % 100 == 0) std::fprintf(stderr, "%zu of %zu files\n", looked_at, libraries.size());
    std::ifstream in(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), {}};
    if (!in) {
      ++unreadable;
      continue;
    }
    const auto start = std::chrono::steady_clock::now();
    autoreload::inspection found =
        autoreload::inspect(std::as_bytes(std::span(content)), autoreload::this_machine, autoreload::writing::is_over);
    spent += std::chrono::steady_clock::now() - start;
    bytes += content.size();
    const opinion said = ask_dlopen(path);
    if (found.is != autoreload::verdict::sound) {
      refused.push_back({path, std::move(found), said});
      continue;
    }
    ++accepted;
    if (said.loads) {
      ++accepted_and_loads;
    } else {
      accepted_but_not_loaded.emplace_back(path, said.error);
    }
    for (const std::string& warning : found.warnings) ++warnings[warning.substr(0, warning.find_first_of("(,:"))];
  }

  const auto count = [&](auto&& which) { return std::count_if(refused.begin(), refused.end(), which); };
  const auto loads = [](const refused_library& one) { return one.said.loads; };
  const auto rightly = [](const refused_library& one) { return one.said.loads && must_be_refused(one.why.reason); };
  const auto wrongly = [](const refused_library& one) { return one.said.loads && !must_be_refused(one.why.reason); };
  std::printf("| installed libraries | count |\n| --- | --- |\n");
  std::printf("| regular files named %s.so* | %zu |\n", any_name ? "*" : "lib*", libraries.size());
  std::printf("| unreadable | %d |\n", unreadable);
  std::printf("| accepted by inspect | %d |\n", accepted);
  std::printf("| accepted, and dlopen takes it | %d |\n", accepted_and_loads);
  std::printf("| accepted, but dlopen does not take it (dependencies, constructors) | %zu |\n",
              accepted_but_not_loaded.size());
  std::printf("| refused by inspect | %zu |\n", refused.size());
  std::printf("| refused, and dlopen does not take it | %ld |\n", static_cast<long>(refused.size()) - count(loads));
  std::printf("| refused, dlopen takes it, unfit for reloading | %ld |\n", count(rightly));
  std::printf("| refused, dlopen takes it, no reason not to reload it | %ld |\n", count(wrongly));
  std::printf("\ninspect took %.1f ms for %.1f MB\n", static_cast<double>(spent.count()) / 1e6,
              static_cast<double>(bytes) / 1e6);
  std::printf("\n| warning | libraries |\n| --- | --- |\n");
  for (const auto& [text, times] : warnings) std::printf("| %s | %d |\n", text.c_str(), times);
  std::printf("\n| refused | why | dlopen |\n| --- | --- | --- |\n");
  for (const refused_library& one : refused) {
    std::printf("| %s | %s | %s |\n", one.path.c_str(), one.why.reason.c_str(),
                one.said.loads ? "takes it" : one.said.error.c_str());
  }
  std::printf("\n| accepted, but dlopen does not take it | dlopen |\n| --- | --- |\n");
  for (const auto& [path, why] : accepted_but_not_loaded) std::printf("| %s | %s |\n", path.c_str(), why.c_str());

  if (!json_path.empty()) {
    std::ofstream out(json_path);
    out << "{\n  \"files\": " << libraries.size() << ",\n  \"unreadable\": " << unreadable
        << ",\n  \"accepted\": " << accepted << ",\n  \"accepted_and_loads\": " << accepted_and_loads
        << ",\n  \"refused_and_does_not_load\": " << static_cast<long>(refused.size()) - count(loads)
        << ",\n  \"refused_unfit\": " << count(rightly) << ",\n  \"refused_wrongly\": " << count(wrongly)
        << ",\n  \"inspect_ms\": " << static_cast<double>(spent.count()) / 1e6 << ",\n  \"bytes\": " << bytes
        << ",\n  \"refusals\": [";
    const char* separator = "\n";
    for (const refused_library& one : refused) {
      out << separator << "    {\"path\": " << json_quoted(one.path) << ", \"reason\": " << json_quoted(one.why.reason)
          << ", \"dlopen_takes_it\": " << (one.said.loads ? "true" : "false") << "}";
      separator = ",\n";
    }
    out << "\n  ],\n  \"warnings\": {";
    separator = "\n";
    for (const auto& [text, times] : warnings) {
      out << separator << "    " << json_quoted(text) << ": " << times;
      separator = ",\n";
    }
    out << "\n  },\n  \"accepted_and_does_not_load\": [";
    separator = "\n";
    for (const auto& [path, why] : accepted_but_not_loaded) {
      out << separator << "    {\"path\": " << json_quoted(path) << ", \"dlopen\": " << json_quoted(why) << "}";
      separator = ",\n";
    }
    out << "\n  ]\n}\n";
    if (!out) {
      std::fprintf(stderr, "inspect_survey: can't write %s\n", json_path.c_str());
      return 2;
    }
  }
  return count(wrongly) == 0 ? 0 : 1;
}
