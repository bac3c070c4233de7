// SPDX-License-Identifier: MIT
// snapshot: takes the bytes of a file that nobody is writing, and keeps them under a name of their own.
#include "reload/snapshot/snapshot.hpp"

#include <elf.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string_view>
#include <system_error>

#include "reload/snapshot/direct_copy.hpp"
#include "reload/snapshot/stack_header.hpp"
#include "system/file_limit.hpp"

namespace autoreload {
namespace {

constexpr std::chrono::milliseconds without_lease{300};  // a file lies still for so long before it is taken
constexpr std::chrono::seconds held_open{1};             // and before it is read, if somebody holds it open
constexpr std::uint64_t likely = 4 * 1024 * 1024;        // memory for a copy of this size is got ahead

std::string system_text(int number) { return std::generic_category().message(number); }

error cant_be_written(const std::string& path, int number) {
  error failure = error(stage::snapshot, path, "the private copy can't be written").system(system_text(number));
  if (number == EFBIG) failure.advise("raise the limit of file sizes (ulimit -f, RLIMIT_FSIZE): memory counts, too");
  return failure;
}

setback somebody_writes(const std::string& path, const file_identity& it) {
  return {setback_kind::busy,
          error(stage::snapshot, path, "somebody is writing the file").advise("it is loaded when they are done"), it};
}

}  // namespace

bool is_shortage(int number) {
  return number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOSPC || number == EDQUOT;
}

// Who writes through a mapping changes no time once its pages are dirty, so the contents must be looked at.
bool snapshotter::lies_still(writer_patience::file& known) const {
  std::uint64_t digest = 0;
  for (const file_range& range : copied_) {
    const auto* const text = reinterpret_cast<const char*>(bytes_.data() + range.begin);
    digest = digest * 31 + std::hash<std::string_view>{}({text, range.end - range.begin});
  }
  const auto now = std::chrono::steady_clock::now();
  if (known.digest != digest) {
    known.digest = digest;
    known.same_contents_since = now;
  }
  return now - known.same_contents_since >= std::chrono::milliseconds(500);
}

void snapshotter::drop() noexcept {
  if (room_ && !room_->file.file) {
    left_ = std::move(room_);  // it was handed out; there is a mapping left
  } else if (room_ && !ready_ && !bytes_.empty() && bytes_.size() <= small_copy && room_->holds(bytes_.size())) {
    ready_ = std::move(room_);  // the next copy leaves nothing of this one, as it is whole
  }
  room_.reset();
  bytes_ = {};
  copied_.clear();
}

std::optional<setback> snapshotter::read_into_buffer(int file, const request& wanted, const file_identity& is) {
  const auto size = static_cast<std::size_t>(is.size);
  if (buffer_.size() < size) buffer_.resize(small_copy);
  if (!read_all(file, buffer_.data(), {0, size})) return somebody_writes(wanted.path, is);
  copied_ = {{0, size}};
  bytes_ = {buffer_.data(), size};
  return {};
}

std::optional<setback> snapshotter::read_into_copy(int file, const request& wanted, const file_identity& is) {
  const auto size = static_cast<std::size_t>(is.size);
  const auto fail = [&](int number) { return setback{setback_kind::shortage, cant_be_written(wanted.path, number)}; };
  if (wanted.whole || size <= small_copy) {
    copied_ = {{0, size}};
  } else {
    std::array<std::byte, head_size> head;
    if (!read_all(file, head.data(), {0, head_size})) return somebody_writes(wanted.path, is);
    copied_ = mapped_ranges(head.data(), size);
  }
  if (auto no = begin_copy(wanted.path, size)) return no;
  for (const file_range& range : copied_) {
    const int failure = room_->fill(file, range);
    if (failure == 0) continue;
    return is_shortage(failure) || failure == EFBIG ? fail(failure) : somebody_writes(wanted.path, is);
  }
  bytes_ = room_->bytes();
  if (bytes_.empty()) return fail(errno);
  return {};
}

std::optional<setback> snapshotter::begin_copy(const std::string& path, std::uint64_t size) {
  result<copy_room> made = new_room(path);
  if (!made) return setback{setback_kind::shortage, std::move(made.error())};
  room_ = *std::move(made);
  if (!room_->fit(size)) return setback{setback_kind::shortage, cant_be_written(path, errno)};
  return {};
}

snapshot_outcome snapshotter::take(const request& wanted) {
  snapshot_outcome outcome;
  trusted_opener::outcome opened = opener_.open(wanted.path, wanted.trust, wanted.watched);
  outcome.no = std::move(opened.no);
  if (outcome.no) return outcome;
  unique_fd file = std::move(opened.file);

  read_lease lease(file.get());
  struct stat status {};
  if (fstat(file.get(), &status) != 0) {
    const int number = errno;
    outcome.no = {is_shortage(number) ? setback_kind::shortage : setback_kind::refused_elsewhere,
                  error(stage::snapshot, wanted.path, "the file's status can't be read").system(system_text(number))};
    return outcome;
  }
  const file_identity identity = file_identity::of(status);
  const auto busy = [&] {
    outcome.no = somebody_writes(wanted.path, identity);
    return std::move(outcome);
  };
  if (opened.replaced) return busy();
  // Without a lease the file's own time must tell, or ours if its clock is ahead.
  const bool in_doubt = lease.writer() || (!lease.granted() && !identity.settled(without_lease));
  writer_patience::file* const waited =
      in_doubt && wanted.patience != nullptr ? &wanted.patience->about(identity) : nullptr;
  if (in_doubt && (waited == nullptr || std::chrono::steady_clock::now() - waited->since < held_open)) return busy();

  drop();
  tidy();
  const auto size = static_cast<std::size_t>(identity.size);
  // A small one that has no room yet is read first: most of what is looked at in vain is small.
  const bool has_room = size > small_copy || (size != 0 && ready_ && ready_->holds(size));
  outcome.no = has_room ? read_into_copy(file.get(), wanted, identity) : read_into_buffer(file.get(), wanted, identity);
  if (outcome.no) return outcome;
  // Without the lease its times must tell; with it they may change: by a rename over its name, say.
  if (!lease.kept() && (fstat(file.get(), &status) != 0 || !(file_identity::of(status) == identity))) return busy();
  if (lease.writer() && !lies_still(*waited)) return busy();
  outcome.unfinished_for = lease.writer() ? finished : rest_until_finished(identity, lease.granted(), wanted.patience);
  lease.give_back();

  outcome.bytes = bytes_;
  outcome.image.source = identity;
  outcome.image.size = size;
  outcome.image.later = gaps(copied_, size);
  outcome.image.origin = std::move(file);
  outcome.image.path = wanted.path;
  return outcome;
}

bool snapshotter::prepare(const snapshot& last, std::uint64_t most) {
  if (last.stays_named || last.size > likely) return true;
  if (!ready_ || !ready_->file.file.still_ours()) {
    result<copy_file> made = copy_in_memory(last.path);
    if (!made) return true;
    ready_.emplace(*std::move(made));
  }
  const quiet_file_limit quiet;
  return ready_->grow(last.size, most);
}

result<copy_room> snapshotter::new_room(const std::string& path) {
  if (ready_ && ready_->file.file.still_ours()) return *std::exchange(ready_, std::nullopt);
  result<copy_file> made = copy_in_memory(path);
  if (!made) made = copy_in_file(path);
  if (!made) return made.error();
  return copy_room(*std::move(made));
}

result<copy_file> snapshotter::place_for(snapshot& image, const naming& how) {
  if (how.name == loader_name::beside) {
    result<copy_file> made = copy_beside(image.path, how.trust);
    if (made) return made;
    image.remark = "it finds no directory of its own by dladdr or $ORIGIN: " + made.error().reason() +
                   (made.error().system().empty() ? "" : " (" + made.error().system() + ")") + "; " +
                   made.error().advice();
  }
  if (room_ && room_->file.file.still_ours()) return std::move(room_->file);
  result<copy_room> made = new_room(image.path);
  if (!made) return made.error();
  return std::move(made->file);
}

result<void> snapshotter::keep(snapshot& image, const naming& how) {
  const auto fail = [&]() -> result<void> { return cant_be_written(image.path, errno); };
  result<copy_file> place = place_for(image, how);
  if (!place) return place.error();
  copy_file& into = *place;
  image.load_path = into.load_path;
  image.named = std::move(into.name);
  image.stays_named = into.stays_named;
  const bool copied = room_ && !room_->file.file;  // it was handed out
  if (copied) image.view = room_->bytes();
  std::optional<quiet_file_limit> quiet;
  if (!copied || !image.later.empty() || into.size < image.size) quiet.emplace();
  // One that was got ahead is longer; it is cut when nobody waits for that.
  if (into.size > image.size) image.cut_to = image.size;
  if (into.size < image.size && ftruncate(into.file.get(), static_cast<off_t>(image.size)) != 0) return fail();
  file_range head{0, 0};
  if (!image.later.empty()) {
    // Until complete() has brought the sections there are none, or a debugger would read zeros as debug information.
    Elf64_Ehdr header;
    std::memcpy(&header, bytes_.data(), sizeof header);
    image.changes.push_back({0, std::string(reinterpret_cast<const char*>(&header), sizeof header)});
    header.e_shoff = 0;
    header.e_shnum = header.e_shstrndx = 0;
    head.end = sizeof header;
    if (!freeze(image.view, 0, sizeof header)) return fail();
    if (!write_all(into.file.get(), reinterpret_cast<const std::byte*>(&header), head)) return fail();
  }
  for (file_range range : copied ? std::vector<file_range>() : copied_) {
    range.begin = std::max(range.begin, head.end);
    if (!write_all(into.file.get(), bytes_.data(), range)) return fail();
  }
  image.memory = std::move(into.file);
  if (!add_stack_header(image, bytes_)) return fail();
  return {};
}

bool snapshot::patch(std::uint64_t offset, const std::string& original, const std::string& text) {
  const quiet_file_limit quiet;
  if (!freeze(view, offset, text.size())) return false;
  if (!write_all(memory.get(), reinterpret_cast<const std::byte*>(text.data()) - offset,
                 {offset, offset + text.size()})) {
    return false;
  }
  changes.push_back({offset, original});
  return true;
}

bool snapshotter::same_content(const snapshot& other) const {
  if (other.size != bytes_.size() || !other.memory.still_ours()) return false;
  std::array<std::byte, 16384> chunk;
  for (const file_range& range : copied_) {
    for (std::uint64_t at = range.begin; at < range.end;) {
      // The first page has the build-id, by which most builds differ.
      const std::uint64_t most = at == 0 ? head_size : chunk.size();
      const auto want = static_cast<std::size_t>(std::min(range.end - at, most));
      const ssize_t got = pread(other.memory.get(), chunk.data(), want, static_cast<off_t>(at));
      for (const snapshot::change& one : other.changes) {  // compare with the file, not with what was made of it
        for (std::size_t i = 0; i < one.original.size(); ++i) {
          const std::uint64_t where = one.offset + i;
          if (where >= at && where < at + want) chunk[where - at] = static_cast<std::byte>(one.original[i]);
        }
      }
      if (got <= 0 || std::memcmp(chunk.data(), bytes_.data() + at, static_cast<std::size_t>(got)) != 0) return false;
      at += static_cast<std::uint64_t>(got);
    }
  }
  return true;
}

}  // namespace autoreload
