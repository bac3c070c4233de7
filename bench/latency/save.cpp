// SPDX-License-Identifier: MIT
// save: what a person waits for, from the save of a source to the first new value, for each tool, compiler and linker
// that is installed.
//
// usage: save [ROUNDS [ROW]]     prints a table of milliseconds; ROW is a part of a row's name
#include <unistd.h>

#include <algorithm>
#include <autoreload/autoreload.hpp>
#include <autoreload/rebuild.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

extern "C" int value(void);

namespace {

namespace fs = std::filesystem;
using autoreload::rebuild_chain;
using autoreload::rebuild_kind;
using steady = std::chrono::steady_clock;
using milliseconds = std::chrono::duration<double, std::milli>;

struct value_api {
  autoreload::required<::value> value;
};

struct row {
  std::string tool;  // ninja, make, cmake (with Makefiles), meson, command
  std::string compiler;
  std::string linker;
  rebuild_chain chain;
  [[nodiscard]] std::string name() const {
    const char* const way = chain == rebuild_chain::direct ? ", direct"
                            : chain == rebuild_chain::tcc  ? ", tcc first"
                                                           : "";
    return compiler + " " + linker + ", " + tool + way;
  }
};

bool installed(const std::string& program) {
  return std::system(("command -v " + program + " > /dev/null 2>&1").c_str()) == 0;
}

void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::trunc) << text; }

// Thirty lines, of which one changes.
std::string source(int value) {
  std::string text;
  for (int i = 0; i < 26; ++i)
    text += "static int step" + std::to_string(i) + "(int x) { return x + " + std::to_string(i) + "; }\n";
  text += "int value(void) {\n  return step0(" + std::to_string(value) + ");\n}\nint all(int x) {\n  return x";
  for (int i = 0; i < 26; ++i) text += " + step" + std::to_string(i) + "(x)";
  return text + ";\n}\n";
}

// Makes the project. @return the library's path, or nothing when the row can't be had here
std::optional<std::string> make_project(const row& of, const fs::path& directory,
                                        autoreload::rebuild_options& options) {
  const std::string use = of.linker == "bfd" || of.compiler == "tcc" ? "" : " -fuse-ld=" + of.linker;
  const std::string at = "cd '" + directory.string() + "' && ";
  write(directory / "lib.c", source(0));
  if (of.tool == "command") {
    options.command = {of.compiler, "-shared", "-fPIC", "-g", "-o", "libvalue.so", "lib.c"};
    if (!use.empty()) options.command.push_back(use.substr(1));
    options.directory = directory;
    options.sources = {"lib.c"};
    return directory / "libvalue.so";
  }
  if (of.tool == "ninja") {
    fs::create_directory(directory / "build");
    write(directory / "build/build.ninja",
          "rule cc\n  command = " + of.compiler +
              " -g -fPIC -MD -MF $out.d -c $in -o $out\n  depfile = $out.d\n  deps = gcc\n" +
              "rule link\n  command = " + of.compiler + use +
              " -shared -o $out $in\nbuild lib.o: cc ../lib.c\nbuild libvalue.so: link lib.o\n");
    return directory / "build/libvalue.so";
  }
  if (of.tool == "make") {
    write(directory / "Makefile", "libvalue.so: lib.o\n\t" + of.compiler + use + " -shared -o $@ $^\nlib.o: lib.c\n\t" +
                                      of.compiler + " -g -fPIC -c lib.c\n");
    return directory / "libvalue.so";
  }
  std::string setup;
  if (of.tool == "cmake") {
    write(directory / "CMakeLists.txt",
          "cmake_minimum_required(VERSION 3.16)\nproject(value C)\nadd_library(value SHARED lib.c)\n");
    setup = "cmake -G 'Unix Makefiles' -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=" + of.compiler +
            " -DCMAKE_SHARED_LINKER_FLAGS='" + use + "' -S . -B build";
  } else {
    write(directory / "meson.build", "project('value', 'c')\nshared_library('value', 'lib.c')\n");
    setup = "CC=" + of.compiler + " CC_LD=" + of.linker + " meson setup build";
  }
  if (std::system((at + setup + " > setup.log 2>&1").c_str()) != 0) return std::nullopt;
  return directory / "build/libvalue.so";
}

double at(std::vector<double>& values, double part) {
  std::sort(values.begin(), values.end());
  return values.empty()
             ? 0
             : values[std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

// @return whether there is a figure
bool measure(const row& of, int rounds) {
  std::string name = (fs::temp_directory_path() / "autoreload-save-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) return false;
  std::vector<double> total;
  std::vector<double> command;
  std::vector<double> own;
  {
    autoreload::rebuild_options options;
    options.chain = of.chain;
    std::mutex mutex;
    double ran = 0;
    std::uint64_t built = 0;
    options.observer = [&](const autoreload::rebuild_event& e) {
      const std::lock_guard lock(mutex);
      if (e.kind != rebuild_kind::built) return;
      ran = milliseconds(e.times.ran).count();
      ++built;
    };
    const std::optional<std::string> library = make_project(of, name, options);
    if (library) {
      autoreload::options quiet;
      quiet.observer = [](const autoreload::event&) {};
      const autoreload::reloadable<value_api> running(*library, quiet);
      const autoreload::rebuilder builder(*library, options);
      const auto wait_for = [&](int wanted) {
        const auto deadline = steady::now() + std::chrono::seconds(30);
        while (!running.loaded() || running->value() != wanted) {
          if (steady::now() > deadline) return false;
          std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
        return true;
      };
      bool goes = wait_for(0);
      for (int i = 1; goes && i <= rounds + 3; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(700));  // a person thinks, the tool catches up
        std::uint64_t before = 0;
        {
          const std::lock_guard lock(mutex);
          before = built;
        }
        const auto start = steady::now();
        write(fs::path(name) / "lib.c", source(i));
        goes = wait_for(i);
        const double took = milliseconds(steady::now() - start).count();
        for (int wait = 0; wait < 5000; ++wait) {  // until the event that tells of it
          {
            const std::lock_guard lock(mutex);
            if (built > before) break;
          }
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        if (!goes || i <= 3) continue;  // the first ones learn
        const std::lock_guard lock(mutex);
        total.push_back(took);
        command.push_back(ran);
        own.push_back(took - ran);
      }
    }
  }
  fs::remove_all(name);
  if (total.empty()) {
    std::printf("%-36s could not be had\n", of.name().c_str());
  } else {
    std::printf("%-36s %7.1f %7.1f %9.1f %7.2f\n", of.name().c_str(), at(total, 0.5), at(total, 0.9), at(command, 0.5),
                at(own, 0.5));
  }
  std::fflush(stdout);
  return !total.empty();
}

}  // namespace

int main(int count, char** words) {
  const int rounds = count > 1 ? std::max(1, std::atoi(words[1])) : 30;
  const std::string wanted = count > 2 ? words[2] : "";
  std::vector<row> rows;
  for (const std::string compiler : {"gcc", "clang"}) {
    for (const std::string linker : {"bfd", "gold", "lld", "mold"}) {
      if (!installed(compiler) || !installed(linker == "mold" ? linker : "ld." + linker)) continue;
      rows.push_back({"command", compiler, linker, rebuild_chain::tool});
      for (const std::string tool : {"ninja", "make", "cmake", "meson"}) {
        if (!installed(tool)) continue;
        rows.push_back({tool, compiler, linker, rebuild_chain::tool});
        if (tool == "make") continue;  // has no direct chain
        rows.push_back({tool, compiler, linker, rebuild_chain::direct});
        if (installed("tcc") && linker == "bfd" && compiler == "gcc")
          rows.push_back({tool, compiler, linker, rebuild_chain::tcc});
      }
    }
  }
  if (installed("tcc")) rows.push_back({"command", "tcc", "tcc", rebuild_chain::tool});
  std::printf("%-36s %7s %7s %9s %7s   (ms, %d saves each)\n", "", "p50", "p90", "commands", "own", rounds);
  int missing = 0;
  for (const row& one : rows) {
    if (one.name().find(wanted) != std::string::npos) missing += measure(one, rounds) ? 0 : 1;
  }
  return missing == 0 ? 0 : 1;
}
