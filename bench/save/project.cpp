// SPDX-License-Identifier: MIT
// project: writes sources and build files.
#include "project.hpp"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

namespace bench {
namespace fs = std::filesystem;
using autoreload::rebuild_chain;

namespace {

void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::trunc) << text; }

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Thirty lines, of which one changes.
std::string demo_text() {
  std::string text;
  for (int i = 0; i < 26; ++i)
    text += "static int step" + std::to_string(i) + "(int x) { return x + " + std::to_string(i) + "; }\n";
  text += "int all(int x) {\n  return x";
  for (int i = 0; i < 26; ++i) text += " + step" + std::to_string(i) + "(x)";
  return text + ";\n}\n";
}

std::string linker_program(const std::string& linker) { return linker == "mold" ? "mold" : "ld." + linker; }

// The names of the sources without `.c`; the first is the one that is saved.
std::vector<std::string> copy_sources(const row& of, const fs::path& directory, const std::string& sources) {
  if (of.library == "demo") {
    write(directory / "lib.c", demo_text());
    return {"lib"};
  }
  const fs::path from = fs::path(sources) / of.library;
  std::vector<std::string> names{of.library == "lua" ? "lvm" : "sqlite3"};
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string stem = entry.path().stem();
    const bool source = entry.path().extension() == ".c";
    const bool program = source && (stem == "lua" || stem == "luac");
    if ((!source && entry.path().extension() != ".h") || program) continue;
    fs::copy_file(entry.path(), directory / entry.path().filename());
    if (source && stem != names[0]) names.push_back(stem);
  }
  return names;
}

struct commands {
  std::string compile;  // with the compiler's options
  std::string link;     // with the linker's
  std::string libraries;
};

commands commands_of(const row& of) {
  commands made;
  made.compile = of.compiler + (of.compiler == "tcc" ? " -fPIC" : " -g -fPIC") + (of.tool == "fast" ? " -pipe" : "");
  const bool plain = of.tool == "fast" || (of.compiler == "tcc" && of.linker != "tcc");  // the linker without a driver
  made.link = plain ? linker_program(of.linker) + " -shared -z noexecstack"
                    : of.compiler + " -shared" + (of.linker == "tcc" ? "" : " -fuse-ld=" + of.linker);
  if (of.library != "demo" && !plain) made.libraries = " -lm";
  return made;
}

std::string objects_of(const std::vector<std::string>& names) {
  std::string objects;
  for (const std::string& name : names) objects += " " + name + ".o";
  return objects;
}

void write_ninja(const project& on, const commands& by, const std::vector<std::string>& names) {
  fs::create_directory(on.directory / "build");
  const std::string depfile = by.compile.starts_with("tcc") ? "" : " -MD -MF $out.d";
  std::string text = "rule cc\n  command = " + by.compile + depfile + " -c $in -o $out\n";
  if (!depfile.empty()) text += "  depfile = $out.d\n  deps = gcc\n";
  text += "rule link\n  command = " + by.link + " -o $out $in" + by.libraries + "\n";
  for (const std::string& name : names) text += "build " + name + ".o: cc ../" + name + ".c\n";
  write(on.directory / "build/build.ninja", text + "build libvalue.so: link" + objects_of(names) + "\n");
}

void write_make(const project& on, const commands& by, const std::vector<std::string>& names) {
  std::string text = "libvalue.so:" + objects_of(names) + "\n\t" + by.link + " -o $@ $^" + by.libraries + "\n";
  write(on.directory / "Makefile", text + "%.o: %.c\n\t" + by.compile + " -c $<\n");
}

bool configure_cmake(const row& of, const project& on, const commands& by, const std::vector<std::string>& names) {
  std::string text = "cmake_minimum_required(VERSION 3.16)\nproject(value C)\nadd_library(value SHARED";
  for (const std::string& name : names) text += " " + name + ".c";
  text += ")\n";
  if (!by.libraries.empty()) text += "target_link_libraries(value PRIVATE m)\n";
  write(on.directory / "CMakeLists.txt", text);
  return shell("cd '" + on.directory.string() +
               "' && cmake -G 'Unix Makefiles' -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=" + of.compiler +
               " -DCMAKE_SHARED_LINKER_FLAGS='-fuse-ld=" + of.linker + "' -S . -B build");
}

}  // namespace

std::string row::name() const {
  const char* const first = chain == rebuild_chain::direct   ? "-direct"
                            : chain == rebuild_chain::linker ? "-linker"
                            : chain == rebuild_chain::tcc    ? "-tcc"
                                                             : "";
  return "feel/" + library + "/" + compiler + "/" + linker + "/" + tool + first;
}

std::string row::label() const {
  std::string text = tool == "direct"  ? "a compile and a link by name"
                     : tool == "fast"  ? "a compile, and a link without driver and libraries"
                     : tool == "cmake" ? "CMake's Makefiles, by make"
                                       : tool;
  if (chain == rebuild_chain::direct) text += ", its commands first";
  if (chain == rebuild_chain::linker) text += ", the linker alone first";
  if (chain == rebuild_chain::tcc) text += ", tcc first";
  return text;
}

bool installed(const std::string& program) { return shell("command -v " + program); }

bool shell(const std::string& command) { return std::system(("{ " + command + "; } > /dev/null 2>&1").c_str()) == 0; }

std::vector<row> all_rows(const std::string& sources) {
  std::vector<row> rows;
  const auto add = [&](const row& one) {
    const bool linker = one.linker == "tcc" || installed(linker_program(one.linker));
    const bool tool = one.tool == "direct" || one.tool == "fast" || installed(one.tool);
    const bool tcc = one.chain != rebuild_chain::tcc || installed("tcc");
    if (installed(one.compiler) && linker && tool && tcc) rows.push_back(one);
  };
  for (const std::string compiler : {"gcc", "clang", "tcc"}) {
    for (const std::string linker : {"bfd", "gold", "lld", "mold"}) {
      for (const std::string tool : {"direct", "ninja", "make", "cmake"}) {
        if (compiler != "tcc" || tool != "cmake") add({"demo", compiler, linker, tool});
      }
      if (compiler == "gcc") add({"demo", compiler, linker, "fast"});
    }
  }
  for (const std::string tool : {"direct", "ninja", "make"}) add({"demo", "tcc", "tcc", tool});
  std::vector<std::string> libraries{"demo"};
  for (const std::string library : {"lua", "sqlite"}) {
    std::error_code none;
    if (!sources.empty() && fs::is_directory(fs::path(sources) / library, none)) libraries.push_back(library);
  }
  for (const std::string& library : libraries) {
    if (library != "demo") {
      for (const std::string tool : {"direct", "fast", "ninja", "make", "cmake"}) add({library, "gcc", "bfd", tool});
      add({library, "clang", "lld", "ninja"});
      add({library, "tcc", "tcc", "direct"});
    }
    for (const rebuild_chain chain : {rebuild_chain::direct, rebuild_chain::linker, rebuild_chain::tcc}) {
      for (const std::string tool : {"ninja", "cmake"}) add({library, "gcc", "bfd", tool, chain});
    }
  }
  return rows;
}

std::chrono::steady_clock::time_point project::save(int value) const {
  const std::string all = text + "int value(void) {\n  return " + std::to_string(value) + ";\n}\n";
  write(source, all);
  return std::chrono::steady_clock::now();
}

std::optional<project> make_project(const row& of, const fs::path& directory, const std::string& sources) {
  project made;
  made.directory = directory;
  const std::vector<std::string> names = copy_sources(of, directory, sources);
  made.source = directory / (names[0] + ".c");
  made.text = read(made.source);
  made.save(0);
  const commands by = commands_of(of);
  made.options.chain = of.chain;
  const std::string place = "cd '" + directory.string() + "' && ";
  made.compile = place + by.compile + " -c " + names[0] + ".c -o " + names[0] + ".o";
  made.link = place + by.link + " -o libvalue.so" + objects_of(names) + by.libraries;
  made.library = directory / (of.tool == "ninja" || of.tool == "cmake" ? "build/libvalue.so" : "libvalue.so");
  if (of.tool == "direct" || of.tool == "fast") {
    const bool one_step = of.library == "demo" && of.compiler == "tcc" && of.linker == "tcc";
    made.tool = one_step ? std::vector<std::string>{"tcc", "-shared", "-o", made.library, made.source.string()}
                         : std::vector<std::string>{"/bin/sh", "-c",
                                                    made.compile + " && exec " + made.link.substr(place.size())};
    made.options.command = made.tool;
    made.options.directory = directory;
    made.options.sources = {made.source.string()};
  } else if (of.tool == "ninja") {
    write_ninja(made, by, names);
    made.tool = {"ninja", "-C", directory / "build", "libvalue.so"};
  } else if (of.tool == "make") {
    write_make(made, by, names);
    made.tool = {"make", "-C", directory, "libvalue.so"};
  } else {
    if (!configure_cmake(of, made, by, names)) return std::nullopt;
    made.tool = {"make", "-C", directory / "build", "value"};
  }
  for (const std::string& name : names) {  // the objects that commands by hand link
    if (!shell(place + by.compile + " -c " + name + ".c -o " + name + ".o")) return std::nullopt;
  }
  std::string all;
  for (const std::string& word : made.tool) all += "'" + word + "' ";
  if (of.tool != "direct" && of.tool != "fast" && !shell(all)) return std::nullopt;
  return shell(made.link) ? std::optional(std::move(made)) : std::nullopt;
}

}  // namespace bench
