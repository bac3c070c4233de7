// SPDX-License-Identifier: MIT
// crash_text: words a crash report, in memory that is there already.
#include "crash/crash_text.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <span>
#include <string_view>

#include "crash/source_place.hpp"
#include "system/signal_name.hpp"

namespace autoreload {
namespace {

// The report's text, in memory that is there already.
class composed_text {
 public:
  void clear() noexcept { size_ = 0; }
  composed_text& operator<<(std::string_view more) noexcept {
    const std::size_t size = std::min(more.size(), room_.size() - size_);
    std::memcpy(room_.data() + size_, more.data(), size);
    size_ += size;
    return *this;
  }
  composed_text& decimal(std::uint64_t number) noexcept { return digits(number, 10); }
  composed_text& hexadecimal(std::uint64_t number) noexcept { return (*this << "0x").digits(number, 16); }
  composed_text& seconds_since(std::int64_t then) noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::int64_t passed = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec - then;
    const auto tenths = static_cast<std::uint64_t>(std::max<std::int64_t>(passed, 0) / 100'000'000);
    return decimal(tenths / 10) << "." << std::string_view("0123456789").substr(tenths % 10, 1) << " s ago";
  }
  void write_to(int descriptor) const noexcept {
    std::string_view left(room_.data(), size_);
    while (!left.empty()) {
      const ssize_t written = ::write(descriptor, left.data(), left.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      left.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  composed_text& digits(std::uint64_t number, unsigned base) noexcept {
    std::array<char, 20> backwards;
    std::size_t count = 0;
    do {
      backwards[count++] = "0123456789abcdef"[number % base];
      number /= base;
    } while (number != 0);
    while (count > 0) *this << std::string_view(&backwards[--count], 1);
    return *this;
  }

  std::array<char, 4096> room_{};
  std::size_t size_ = 0;
};

constinit composed_text text;

void tell_place(const finding& found, bool lines) noexcept {
  const auto snapshot = static_cast<int>(found.generation.snapshot);
  const std::uintptr_t address = found.address - found.generation.base;
  struct stat status {};
  const bool there = snapshot >= 0 && ::fstat(snapshot, &status) == 0 && status.st_dev == found.generation.device &&
                     status.st_ino == found.generation.inode && status.st_size > 0;
  const auto size = there ? static_cast<std::size_t>(status.st_size) : 0;
  void* const file = there ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, snapshot, 0) : MAP_FAILED;
  if (file == MAP_FAILED) {
    (text << "  function: unknown, at ").hexadecimal(address) << " in the library\n";
    return;
  }
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(file), size);
  const function_place function = find_function(bytes, address);
  text << "  function: ";
  if (function.name.empty()) {
    text << "unknown, at ";
  } else {
    (text << function.name << "+").hexadecimal(function.offset) << ", at ";
  }
  text.hexadecimal(address) << " in the library\n";
  const line_place place = lines ? find_line(bytes, address) : line_place{};
  if (!place.file.empty()) {
    const bool whole = place.file.front() == '/';
    const bool directory_whole = !place.directory.empty() && place.directory.front() == '/';
    text << "  source:   ";
    if (!whole && !directory_whole && !place.root.empty()) text << place.root << "/";
    if (!whole && !place.directory.empty()) text << place.directory << "/";
    (text << place.file << ":").decimal(place.line) << "\n";
  }
  ::munmap(file, size);  // it is in the host's memory
}

void compose(const incident& what, const finding& found, bool lines) noexcept {
  const char* const name = signal_name(what.signal);
  const auto generation = [&]() -> composed_text& {
    return (text << "generation ").decimal(found.generation.number)
           << " of \"" << std::string_view(found.generation.path.data()) << "\"";
  };
  const auto unloaded = [&]() -> composed_text& {
    generation() << ", which was unloaded ";
    return text.seconds_since(found.generation.unloaded);
  };
  text.clear();
  text << "\nautoreload: " << name << " ";
  switch (found.is) {
    case relation::none: return;
    case relation::inside: {
      text << "in ";
      generation();
      if (what.signal == SIGSEGV && what.is_fault()) {
        const std::uintptr_t apart = what.address() - what.stack + 0x8000;
        (text << ": it used address ").hexadecimal(what.address())
            << (apart < 0x10000 ? ", at the end of its stack: most likely an endless recursion" : "");
      }
      break;
    }
    case relation::called_bad:
      text << "in ";
      (generation() << ": it called ").hexadecimal(what.instruction) << ", where there is no function";
      break;
    case relation::called_down:
      text << "in code that was called by ";
      generation();
      break;
    case relation::old_code:
      text << "in a call into ";
      unloaded() << ": somebody kept a pointer to its code";
      break;
    case relation::old_data:
      (text << "at address ").hexadecimal(what.address()) << ", data of ";
      unloaded() << ": somebody kept a pointer to it";
      break;
  }
  text << "\n";
  if (found.is != relation::old_data) tell_place(found, lines);
  (text << "  loaded:   ").seconds_since(found.generation.loaded) << "\n";
}

}  // namespace

void tell_of(const incident& what, const finding& found, bool lines, int descriptor) noexcept {
  compose(what, found, lines);
  text.write_to(descriptor);
}

}  // namespace autoreload
