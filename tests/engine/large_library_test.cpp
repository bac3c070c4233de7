// SPDX-License-Identifier: MIT
// large_library_test: a library of more than 64 KB is copied first, and what is inspected is the copy.
#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <autoreload/autoreload.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../support.hpp"
#include "reload/dependencies/alias.hpp"
#include "reload/inspect/inspect.hpp"
#include "reload/snapshot/copy_room.hpp"
#include "reload/snapshot/direct_copy.hpp"
#include "reload/snapshot/snapshot.hpp"

namespace {

struct number_api {
  autoreload::required_as<"number", int()> number;
};

// With a section, as debug information has them, behind what the loader maps.
std::string build(const support::temp_directory& in, const std::string& name, int number,
                  const std::string& flags = "") {
  std::string path = in / name;
  support::build_library(path,
                         "__asm__(\".pushsection .unmapped, \\\"\\\", %progbits\\n.fill 20000, 1, 7\\n.popsection\");\n"
                         "static const char filled[300000] = {1, 2, 3};\n"
                         "const char* at(int i) { return filled + i; }\n"
                         "int number(void) { return filled[2] - 3 + " +
                             std::to_string(number) + "; }",
                         "-g -Wl,-soname,libsome_large_library.so " + flags);
  return path;
}

autoreload::options by_hand(autoreload::event_queue& events) {
  autoreload::options chosen;
  chosen.drive = autoreload::drive_mode::manual;
  chosen.observer = events.observer();
  return chosen;
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string contents(int file) {
  struct stat status {};
  fstat(file, &status);
  std::string all(static_cast<std::size_t>(status.st_size), '\0');
  all.resize(static_cast<std::size_t>(std::max<ssize_t>(pread(file, all.data(), all.size(), 0), 0)));
  return all;
}

TEST(LargeLibrary, ShowsTheFilesBytesAlsoWhereItsCopyIsChanged) {
  const support::temp_directory directory;
  const std::string path = build(directory, "lib.so", 4);
  const std::string file = support::read_file(path);
  ASSERT_GT(file.size(), 65536U);
  autoreload::snapshotter reader;
  autoreload::snapshot_outcome taken = reader.take({path, {}, true});
  ASSERT_FALSE(taken.no) << taken.no->why->what();
  EXPECT_EQ(text_of(taken.bytes), file);
  const autoreload::inspection seen = autoreload::inspect(taken.bytes);
  ASSERT_EQ(seen.is, autoreload::verdict::sound);
  ASSERT_TRUE(reader.keep(taken.image, {autoreload::loader_name::descriptor, {}}));
  const std::string alias = autoreload::give_alias(taken.image, taken.bytes, seen.facts);
  ASSERT_FALSE(alias.empty());
  EXPECT_EQ(text_of(taken.bytes), file) << "what was inspected is what the file had";
  const std::string copy = contents(taken.image.memory.get());
  EXPECT_EQ(copy.find("libsome_large_library.so"), std::string::npos);
  EXPECT_NE(copy.find(alias), std::string::npos);
}

TEST(LargeLibrary, ShowsTheFilesBytesAlsoInMemoryThatWasGotAhead) {
  const support::temp_directory directory;
  const std::string path = build(directory, "lib.so", 4);
  const std::string file = support::read_file(path);
  autoreload::snapshotter reader;
  autoreload::snapshot_outcome first = reader.take({path, {}, true});
  ASSERT_FALSE(first.no);
  reader.drop();
  while (!reader.prepare(first.image, 65536)) {
  }
  autoreload::snapshot_outcome taken = reader.take({path, {}, true});
  ASSERT_FALSE(taken.no);
  EXPECT_EQ(text_of(taken.bytes), file);
  ASSERT_TRUE(reader.keep(taken.image, {autoreload::loader_name::descriptor, {}}));
  ASSERT_TRUE(taken.image.patch(4090, file.substr(4090, 12), std::string(12, 'x')));  // in two pages
  EXPECT_EQ(text_of(taken.bytes), file) << "what was inspected is what the file had";
  EXPECT_EQ(contents(taken.image.memory.get()).substr(4090, 12), std::string(12, 'x'));
  reader.drop();
  reader.tidy();
  EXPECT_EQ(fcntl(taken.image.memory.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
}

TEST(LargeLibrary, HasHolesWhereTheLoaderMapsNothing) {
  const support::temp_directory directory;
  const std::string path = build(directory, "lib.so", 4);
  autoreload::snapshotter reader;
  autoreload::snapshot_outcome taken = reader.take({path, {}});
  ASSERT_FALSE(taken.no);
  ASSERT_FALSE(taken.image.later.empty());
  const std::string file = support::read_file(path);
  ASSERT_EQ(taken.bytes.size(), file.size());
  for (const autoreload::file_range& range : taken.image.later) {
    const auto hole = taken.bytes.subspan(range.begin, range.end - range.begin);
    EXPECT_TRUE(std::all_of(hole.begin(), hole.end(), [](std::byte one) { return one == std::byte{0}; }));
  }
}

TEST(LargeLibrary, IsReplacedByAnother) {
  const support::temp_directory directory;
  autoreload::event_queue events;
  autoreload::reloadable<number_api> library(build(directory, "lib.so", 4), by_hand(events));
  EXPECT_EQ(library->number(), 4);
  build(directory, "next.so", 5);
  std::filesystem::rename(directory / "next.so", directory / "lib.so");
  library.poll();
  EXPECT_EQ(library->number(), 5);
  std::filesystem::copy_file(directory / "lib.so", directory / "same.so");
  std::filesystem::rename(directory / "same.so", directory / "lib.so");
  library.poll();
  EXPECT_EQ(library.generation(), 2U) << "the same contents are not loaded again";
}

// Such a file gets a program header table of its own, to which the header at the copy's start leads.
TEST(LargeLibrary, WithoutAWordOnItsStackIsLoaded) {
  const support::temp_directory directory;
  const std::string path = build(directory, "lib.so", 4);
  std::string file = support::read_file(path);
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  for (std::size_t i = 0; i != header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const std::size_t at = header.e_phoff + i * sizeof segment;
    std::memcpy(&segment, file.data() + at, sizeof segment);
    if (segment.p_type != PT_GNU_STACK) continue;
    segment.p_type = PT_NULL;
    std::memcpy(file.data() + at, &segment, sizeof segment);
  }
  support::write_file(path, file);
  autoreload::event_queue events;
  const autoreload::reloadable<number_api> library(path, by_hand(events));
  ASSERT_TRUE(library.loaded());
  EXPECT_EQ(library->number(), 4);
}

TEST(LargeLibrary, OfWhichNobodyHasTheEndIsNotTaken) {
  const support::temp_directory directory;
  const std::string path = build(directory, "lib.so", 4);
  std::filesystem::resize_file(path, 200000);
  autoreload::event_queue events;
  const autoreload::reloadable<number_api> library(path, by_hand(events));
  EXPECT_FALSE(library.loaded());
}

TEST(DirectCopy, MovesARangeToItsPlaceAndTellsThatTheFileEnded) {
  const support::temp_directory directory;
  std::string text(300000, '\0');
  for (std::size_t i = 0; i != text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  support::write_file(directory / "from", text);
  const autoreload::unique_fd from(open((directory / "from").c_str(), O_RDONLY | O_CLOEXEC));
  const autoreload::unique_fd to(open((directory / "to").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_EQ(autoreload::copy_range(from.get(), to.get(), {4096, 280001}), 0);
  EXPECT_EQ(contents(to.get()), std::string(4096, '\0') + text.substr(4096, 280001 - 4096));
  EXPECT_EQ(autoreload::copy_range(from.get(), to.get(), {299999, 300001}), ENODATA);
}

TEST(DirectCopy, ReadsWhereThereIsNoSendfile) {
  const support::temp_directory directory;
  support::write_file(directory / "from", std::string(100000, 'x'));
  const autoreload::unique_fd from(open((directory / "from").c_str(), O_RDONLY | O_CLOEXEC));
  // sendfile(2) refuses a target that was opened to append; pwrite(2) doesn't, and puts everything at the end.
  const autoreload::unique_fd to(open((directory / "to").c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  EXPECT_EQ(autoreload::copy_range(from.get(), to.get(), {0, 100000}), 0);
  EXPECT_EQ(contents(to.get()), std::string(100000, 'x'));
}

TEST(DirectCopy, AFrozenPageKeepsWhatItShowed) {
  const support::temp_directory directory;
  support::write_file(directory / "file", std::string(12288, 'a'));
  const autoreload::unique_fd file(open((directory / "file").c_str(), O_RDWR | O_CLOEXEC));
  const autoreload::private_view view(file.get(), 12288);
  ASSERT_EQ(view.bytes().size(), 12288U);
  EXPECT_TRUE(autoreload::freeze(view.bytes(), 4000, 200));  // of two pages
  EXPECT_TRUE(autoreload::freeze(view.bytes(), 20000, 10));  // beyond the end: nothing
  ASSERT_EQ(pwrite(file.get(), std::string(12288, 'b').data(), 12288, 0), 12288);
  EXPECT_EQ(text_of(view.bytes()).substr(0, 8192), std::string(8192, 'a'));
}

// A room whose memory was got for so many bytes, in pieces.
autoreload::copy_room room_for(std::uint64_t size) {
  auto made = autoreload::copy_in_memory("libroom.so");
  autoreload::copy_room room(*std::move(made));
  while (!room.grow(size, 65536)) {
  }
  return room;
}

TEST(CopyRoom, HoldsAFileOfAnySizeWhateverItWasMadeFor) {
  const support::temp_directory directory;
  for (const std::size_t size : {70'000U, 200'000U, 220'000U, 900'000U}) {  // less, as much, a bit more, far more
    const std::string content(size, static_cast<char>('a' + size % 26));
    support::write_file(directory / "from", content);
    const autoreload::unique_fd from(open((directory / "from").c_str(), O_RDONLY | O_CLOEXEC));
    autoreload::copy_room room = room_for(200'000);
    ASSERT_TRUE(room.fit(size));
    EXPECT_EQ(room.fill(from.get(), {0, 5000}), 0);
    EXPECT_EQ(room.fill(from.get(), {5000, size}), 0);
    EXPECT_EQ(text_of(room.bytes()), content);
    const std::string copy = contents(room.file.file.get());
    EXPECT_EQ(copy.substr(0, size), content);
    EXPECT_EQ(copy.find_first_not_of('\0', size), std::string::npos) << "what is longer is empty";
  }
}

// Room is made for a somewhat larger build. What it has too much is cut away when the copy is completed.
TEST(CopyRoom, OfAnotherSizeIsCutToTheFilesLengthInTheEnd) {
  const support::temp_directory directory;
  const std::string path = build(directory, "lib.so", 4);
  const autoreload::trust_policy trust;
  autoreload::snapshotter reader;
  std::uint64_t size = std::filesystem::file_size(path);
  for (int build = 0; build != 4; ++build) {
    autoreload::snapshot_outcome taken = reader.take({path, trust});
    ASSERT_FALSE(taken.no) << taken.no->why->what();
    ASSERT_TRUE(reader.keep(taken.image, {autoreload::loader_name::descriptor, trust}));
    reader.drop();
    reader.tidy();
    autoreload::complete(taken.image);
    EXPECT_EQ(contents(taken.image.memory.get()), support::read_file(path)) << build;
    while (!reader.prepare(taken.image, UINT64_MAX)) {
    }
    size += build == 1 ? 5000 : 10;  // as a linker's digest or padding
    std::filesystem::resize_file(path, size);
  }
}

TEST(CopyRoom, SaysWhereAFileEndsTooEarly) {
  const support::temp_directory directory;
  support::write_file(directory / "from", "short");
  const autoreload::unique_fd from(open((directory / "from").c_str(), O_RDONLY | O_CLOEXEC));
  autoreload::copy_room room = room_for(200'000);
  ASSERT_TRUE(room.fit(200'000));
  EXPECT_EQ(room.fill(from.get(), {0, 200'000}), ENODATA);
}

TEST(CopyRoom, LetsItsFileBeSealedOnceItIsGoneAlsoIfAChildWasForked) {
  std::optional<autoreload::copy_room> room = room_for(200'000);
  const autoreload::unique_fd file = std::move(room->file.file);
  int release[2];
  ASSERT_EQ(pipe2(release, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    char any;
    close(release[1]);
    _exit(static_cast<int>(read(release[0], &any, 1)));
  }
  EXPECT_NE(fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  room.reset();
  EXPECT_EQ(fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  close(release[0]);
  close(release[1]);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

}  // namespace
