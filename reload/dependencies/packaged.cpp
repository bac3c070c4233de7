// SPDX-License-Identifier: MIT
// packaged: the directories of the system's packages, and who may write to a file in them.
#include "reload/dependencies/packaged.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace autoreload {
namespace {

// The last two are stores of package managers that put nothing below /usr.
constexpr std::string_view system_directories[] = {"/lib",       "/usr/lib",    "/lib64",     "/usr/lib64", "/lib32",
                                                   "/usr/lib32", "/usr/libx32", "/nix/store", "/gnu/store"};

}  // namespace

bool in_system_directory(std::string_view path) {
  return std::any_of(std::begin(system_directories), std::end(system_directories), [&](std::string_view directory) {
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
  });
}

bool is_packaged(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  struct stat status {};
  return real != nullptr && in_system_directory(real.get()) && stat(real.get(), &status) == 0 && status.st_uid == 0 &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace autoreload
