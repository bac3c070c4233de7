// SPDX-License-Identifier: MIT
// snapshot: a private copy of the library, so that what was checked is what is loaded and no later write reaches it.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <autoreload/error.hpp>
#include <autoreload/trust.hpp>

#include "reload/setback.hpp"
#include "reload/snapshot/copy_place.hpp"
#include "reload/snapshot/copy_room.hpp"
#include "reload/snapshot/file_identity.hpp"
#include "reload/snapshot/stable_file.hpp"
#include "reload/trust/trust.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {

/// A snapshot: by default an anonymous file in memory, which vanishes with its descriptor, whatever ends the process.
struct snapshot {
  unique_fd memory;       ///< the copy; keep it open as long as the library is loaded: its number is the library's name
  std::string load_path;  ///< what to give to dlopen
  std::string path;       ///< where it was read
  temporary_name named;   ///< of a copy that has a name in the file system
  bool stays_named = false;  ///< the name is the library's own as long as it is loaded
  std::string remark;        ///< what the user should know of the name that it got
  file_identity source;      ///< what was copied
  std::uint64_t size = 0;    ///< bytes
  std::uint64_t cut_to = 0;  ///< bytes that the copy's file is to have, if it has more as yet; or 0
  unique_fd origin;          ///< the library's file, until complete() has run
  struct change {
    std::uint64_t offset;
    std::string original;
  };
  std::vector<change> changes;    ///< where the copy differs from the file on purpose
  std::vector<file_range> later;  ///< parts that the loader doesn't map, not copied yet
  std::span<std::byte> view{};    ///< the snapshotter's mapping of the copy, if it has one, until loaded()

  /// To be called once the loader has it.
  void loaded() {
    if (!stays_named) named = {};
    view = {};
  }

  /// Writes other text of the same length into the copy. @return whether it could be written
  bool patch(std::uint64_t offset, const std::string& original, const std::string& text);
};

struct snapshot_outcome {
  snapshot image;
  std::span<const std::byte> bytes;  ///< the whole file, holes as zeros; valid until the next take() or drop()
  std::optional<setback> no;         ///< absent, busy, for want of a resource, or not to be trusted
  /// How long it takes, if nothing changes, until the file counts as finished; zero when it does. Nobody has it open
  /// for writing then, and it has not changed for some seconds.
  std::chrono::nanoseconds unfinished_for{};
};

/// Takes snapshots. Not thread-safe.
class snapshotter {
 public:
  snapshotter() = default;
  snapshotter(const snapshotter&) = delete;
  snapshotter& operator=(const snapshotter&) = delete;
  ~snapshotter() = default;

  struct request {
    const std::string& path;
    const trust_policy& trust;
    bool whole = false;                   ///< copy debug information at once, for a guard that reads it
    writer_patience* patience = nullptr;  ///< take it although somebody may write, once it has lain still for a while
    change_source* watched = nullptr;     ///< tells whether the way to it is still the one that was judged
  };

  /// Takes the file's bytes and checks that nobody changed it meanwhile: into the copy at once, or those of a small
  /// file, for which prepare() has made no room, into a buffer.
  [[nodiscard]] snapshot_outcome take(const request& wanted);

  /// Reads a snapshot that is kept, as its file was: to load it again from a copy of its own.
  [[nodiscard]] snapshot_outcome take_again(const snapshot& kept);

  /// How the loader shall know the copy.
  struct naming {
    loader_name name = loader_name::descriptor;  ///< not automatic: see name_for()
    const trust_policy& trust;
  };
  /// Makes the copy of the bytes that take() has (and that were inspected since), if it isn't made yet.
  [[nodiscard]] result<void> keep(snapshot& image, const naming& how);

  /// Whether the bytes are those of another snapshot. One read when they differ early, as a build-id makes them.
  [[nodiscard]] bool same_content(const snapshot& other) const;

  /// Forgets the bytes, and a copy of them that keep() did not hand out.
  void drop() noexcept;
  /// Unmaps a copy that was handed out and then dropped, which takes some time: before it is completed.
  void tidy() noexcept { left_.reset(); }

  /// For a request: what is known of files that somebody may be writing.
  [[nodiscard]] writer_patience& patience() noexcept { return patience_; }

  /// Gets memory for the next copy, which is likely to be as large as this one, so that the reload doesn't wait for it.
  /// @param most  bytes to get now. @return whether there is enough, or none is to be had
  [[nodiscard]] bool prepare(const snapshot& last, std::uint64_t most);

 private:
  [[nodiscard]] std::optional<setback> read_into_buffer(int file, const request& wanted, const file_identity& is);
  [[nodiscard]] std::optional<setback> read_into_copy(int file, const request& wanted, const file_identity& is);
  [[nodiscard]] std::optional<setback> begin_copy(const std::string& path, std::uint64_t size);
  [[nodiscard]] result<copy_room> new_room(const std::string& path);
  [[nodiscard]] result<copy_file> place_for(snapshot& image, const naming& how);
  [[nodiscard]] bool lies_still(writer_patience::file& known) const;

  trusted_opener opener_;
  std::vector<std::byte> buffer_;
  std::optional<copy_room> room_;  // what bytes_ shows; its file is handed out by keep()
  std::optional<copy_room> left_;  // the mapping of what was handed out
  std::span<const std::byte> bytes_;
  std::vector<file_range> copied_;
  std::optional<copy_room> ready_;  // by prepare()
  writer_patience patience_;
};

/// Copies what the loader doesn't map (debug information) into the snapshot, for debuggers and profilers, and seals it.
/// Runs after publish, so no reload waits for it. When the file has changed meanwhile, the snapshot has no sections.
void complete(snapshot& image);
/// The same, a part at a time. @param most  bytes to copy now. @return whether it is done
[[nodiscard]] bool complete_some(snapshot& image, std::uint64_t most);

/// Whether an errno says that something has run out which may be there again later.
[[nodiscard]] bool is_shortage(int number);

}  // namespace autoreload
