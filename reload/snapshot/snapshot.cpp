// SPDX-License-Identifier: MIT
// snapshot: reads a file that nobody is writing, and keeps it in memory under a name of its own.
//
// Three things keep a torn read out. A read lease (fcntl F_SETLEASE) can only be had while nobody has the file open or
// mapped for writing, and makes a writer's open wait until it is given back: with it the read is exact. Who doesn't own
// the file can't have one; then the file's identity before and after the read must be the same and old enough for a
// change to show. And where a writer never closes it, identity and contents must have been the same for a while.
#include "reload/snapshot/snapshot.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>
#include <system_error>

#include "digest/digest.hpp"
#include "reload/load/loaded.hpp"
#include "reload/snapshot/stack_header.hpp"
#include "reload/snapshot/trust.hpp"
#include "system/file_limit.hpp"

namespace autoreload {
namespace {

constexpr std::uint64_t head_size = 4096;                // holds the ELF header and every sane program header table
constexpr std::chrono::milliseconds without_lease{300};  // a file lies still for so long before it is taken
constexpr std::chrono::seconds held_open{1};             // and before it is read, if somebody holds it open
constexpr std::chrono::seconds finished{3};              // for so long nobody changed what nobody has open
constexpr std::uint64_t small = 65536;                   // read whole: one more question would take longer than that
constexpr std::size_t keep_warm = 1024 * 1024;           // a buffer of this size stays for the next reload
constexpr std::size_t step = std::size_t{1} << 30;       // read(2) moves at most 2 GiB - 4 KiB at once

std::string system_text(int number) { return std::generic_category().message(number); }

// A read lease on a file that nobody writes to.
class read_lease {
 public:
  explicit read_lease(int file) : file_(file) {
    // A writer that arrives while it is held makes the kernel signal us: by default SIGIO, which ends a process. SIGURG
    // is ignored by default, and its handlers expect it at any time.
    fcntl(file_, F_SETSIG, SIGURG);
    held_ = fcntl(file_, F_SETLEASE, F_RDLCK) == 0;
    writer_ = !held_ && errno == EAGAIN;
  }
  read_lease(const read_lease&) = delete;
  read_lease& operator=(const read_lease&) = delete;
  ~read_lease() { give_back(); }
  void give_back() {
    if (std::exchange(held_, false)) fcntl(file_, F_SETLEASE, F_UNLCK);
  }
  [[nodiscard]] bool granted() const { return held_; }
  // Whether the content stood still up to now. A writer that has waited too long (/proc/sys/fs/lease-break-time, 45 s)
  // is let through, so one that waits is not trusted to wait on.
  [[nodiscard]] bool kept() const { return held_ && fcntl(file_, F_GETLEASE) == F_RDLCK; }
  [[nodiscard]] bool writer() const { return writer_; }

 private:
  int file_;
  bool held_ = false;
  bool writer_ = false;
};

// See snapshot_outcome::unfinished_for. Anybody can set the time of modification, but a lease proves the file closed.
std::chrono::nanoseconds rest_until_finished(const file_identity& is, bool nobody_writes, writer_patience* patience) {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  const std::int64_t now = static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  std::int64_t last = nobody_writes && is.modified <= now ? is.modified : std::max(is.modified, is.changed);
  if (last > now && is.changed <= now) last = is.changed;
  std::chrono::nanoseconds age(now - last);
  // Of times in the future (the clock was set back) only ours is left.
  if (last > now) age = {};
  if (last > now && patience != nullptr) age = std::chrono::steady_clock::now() - patience->about(is).since;
  return std::max<std::chrono::nanoseconds>(finished - age, {});
}

bool read_all(int file, std::byte* to, file_range range) {
  while (range.begin < range.end) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(range.end - range.begin, step));
    const ssize_t got = pread(file, to + range.begin, want, static_cast<off_t>(range.begin));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    range.begin += static_cast<std::uint64_t>(got);
  }
  return true;
}

bool write_all(int file, const std::byte* from, file_range range) {
  while (range.begin < range.end) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(range.end - range.begin, step));
    const ssize_t put = pwrite(file, from + range.begin, want, static_cast<off_t>(range.begin));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    range.begin += static_cast<std::uint64_t>(put);
  }
  return true;
}

// The parts that matter to the loader and to inspect(): what the program headers load, and the tables themselves. Where
// the head makes no sense the head alone is enough for inspect() to say so.
std::vector<file_range> mapped_ranges(const std::byte* head, std::uint64_t size) {
  std::vector<file_range> ranges{{0, std::min(size, head_size)}};
  const auto add = [&](std::uint64_t begin, std::uint64_t length) {
    if (begin < size) ranges.push_back({begin, begin + std::min(length, size - begin)});
  };
  Elf64_Ehdr header;
  if (size < sizeof header) return ranges;
  std::memcpy(&header, head, sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(Elf64_Phdr)) return ranges;
  const std::uint64_t table = std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (header.e_phoff > head_size || table > head_size - header.e_phoff || header.e_phoff + table > size) {
    return {{0, size}};
  }
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, head + header.e_phoff + i * sizeof segment, sizeof segment);
    // The loader maps whole pages: what lies around a segment in its pages is visible to the program, too.
    constexpr std::uint64_t page = 4096;
    if (segment.p_type == PT_LOAD && segment.p_filesz > 0 && segment.p_filesz <= size && segment.p_offset < size) {
      const std::uint64_t begin = segment.p_offset & ~(page - 1);
      add(begin, ((segment.p_offset + segment.p_filesz + page - 1) & ~(page - 1)) - begin);
    }
  }
  add(header.e_shoff, std::uint64_t{header.e_shnum} * header.e_shentsize);
  add(size - std::min<std::uint64_t>(size, digest_line_size), digest_line_size);

  std::sort(ranges.begin(), ranges.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
  std::vector<file_range> merged;
  for (const file_range& range : ranges) {
    if (!merged.empty() && range.begin <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, range.end);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

std::vector<file_range> gaps(const std::vector<file_range>& ranges, std::uint64_t size) {
  std::vector<file_range> rest;
  std::uint64_t at = 0;
  for (const file_range& range : ranges) {
    if (range.begin > at) rest.push_back({at, range.begin});
    at = range.end;
  }
  if (at < size) rest.push_back({at, size});
  return rest;
}

const char* base_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return path.c_str() + (slash == std::string::npos ? 0 : slash + 1);
}

int new_memfd(const char* name) {
#ifndef MFD_EXEC
  constexpr unsigned MFD_EXEC = 0x10;
#endif
  // Where vm.memfd_noexec is set, a memfd must say that it will be executed; kernels before 6.3 don't know the flag.
  int memory = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (memory < 0 && errno != EMFILE && errno != ENFILE && errno != ENOMEM) {
    memory = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  }
  return memory;
}

// A debugger opens the name in its own process, so it can't be /proc/self; and a process's number in this /proc is what
// /proc says it is, also inside a container. A forked child has another.
std::string proc_path(int file) {
  struct answer {
    pid_t process;
    std::string number;
  };
  static thread_local answer known{};
  if (known.process != getpid()) {
    std::array<char, 32> self{};
    known = {getpid(), readlink("/proc/self", self.data(), self.size() - 1) > 0 ? self.data() : ""};
  }
  std::string path = "/proc/" + known.number + "/fd/" + std::to_string(file);
  if (!known.number.empty() && access(path.c_str(), F_OK) == 0) return path;
  known = {};  // /proc may be mounted later
  return {};
}

// Where there is no memfd or no /proc: a file that exists just until it is loaded.
int new_temporary(std::string& path) {
  const std::array<const char*, 5> folders{std::getenv("XDG_RUNTIME_DIR"), std::getenv("TMPDIR"), "/dev/shm", "/tmp",
                                           "/var/tmp"};
  for (const char* const folder : folders) {
    struct statvfs system;
    if (folder == nullptr || statvfs(folder, &system) != 0 || (system.f_flag & (ST_NOEXEC | ST_RDONLY)) != 0) continue;
    std::string name = std::string(folder) + "/autoreload-XXXXXX";
    const int file = mkostemp(name.data(), O_CLOEXEC);
    if (file >= 0) {
      path = name;
      return file;
    }
  }
  return -1;
}

}  // namespace

bool is_shortage(int number) {
  return number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOSPC || number == EDQUOT;
}

writer_patience::file& writer_patience::about(const file_identity& is) {
  const auto known = std::find_if(files_.begin(), files_.end(), [&](const file& one) { return one.is == is; });
  if (known != files_.end()) return *known;
  std::erase_if(files_, [&](const file& one) { return one.is.device == is.device && one.is.inode == is.inode; });
  if (files_.size() == 16) files_.erase(files_.begin());  // there are not so many at a time
  return files_.emplace_back(file{is, std::chrono::steady_clock::now()});
}

snapshotter::~snapshotter() {
  if (buffer_ != nullptr) munmap(buffer_, capacity_);
}

bool snapshotter::reserve(std::size_t size) {
  drop();
  if (size > capacity_) {
    if (buffer_ != nullptr) munmap(buffer_, capacity_);
    capacity_ = 0;
    const std::size_t rounded = std::max(keep_warm, (size + 0xffff) & ~std::size_t{0xffff});
    void* const memory =
        mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    buffer_ = memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
    if (buffer_ == nullptr) return false;
    capacity_ = rounded;
    if (rounded > keep_warm)
      madvise(buffer_, rounded, MADV_HUGEPAGE);  // a fault for each 4 KiB costs more than reading
  }
  used_ = size;
  return true;
}

// Who writes through a mapping changes no time once its pages are dirty, so the contents must be looked at.
bool snapshotter::lies_still(writer_patience::file& known) const {
  std::uint64_t digest = 0;
  for (const file_range& range : copied_) {
    const auto* const text = reinterpret_cast<const char*>(buffer_ + range.begin);
    digest = digest * 31 + std::hash<std::string_view>{}({text, range.end - range.begin});
  }
  const auto now = std::chrono::steady_clock::now();
  if (known.digest != digest) {
    known.digest = digest;
    known.same_contents_since = now;
  }
  return now - known.same_contents_since >= std::chrono::milliseconds(500);
}

void snapshotter::drop() {
  if (capacity_ > keep_warm) {
    munmap(buffer_, capacity_);
    buffer_ = nullptr;
    capacity_ = 0;
  }
  // Holes of the next file must read as zeros, not as this one.
  if (buffer_ != nullptr) {
    for (const file_range& old : copied_) std::memset(buffer_ + old.begin, 0, old.end - old.begin);
  }
  copied_.clear();
}

snapshot_outcome snapshotter::take(const request& wanted) {
  snapshot_outcome outcome;
  const auto fail = [&](const char* reason, int number) {
    outcome.no = {is_shortage(number) ? setback_kind::shortage : setback_kind::refused_elsewhere,
                  error(stage::snapshot, wanted.path, reason).system(system_text(number))};
    return std::move(outcome);
  };

  // Replaced while the way to it is judged, it is another file: then once more from the start.
  unique_fd file;
  bool replaced = true;
  for (int attempts = 16; attempts > 0 && replaced; --attempts) {
    // O_NONBLOCK: a FIFO in its place must not hang the host.
    file = unique_fd(open(wanted.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file) {
      if (errno == ENOENT || errno == ENOTDIR) {
        outcome.no = {
            setback_kind::unfinished,
            error(stage::snapshot, wanted.path, "there is no such file").advise("it is loaded as soon as it is there")};
        return outcome;
      }
      return fail("the file can't be opened", errno);
    }
    const result<void> trusted = check_trust(file.get(), wanted.path, wanted.trust);
    replaced = !trusted && trusted.error().reason() == replaced_meanwhile;
    if (!trusted && !replaced) {
      outcome.no = {setback_kind::refused_elsewhere, trusted.error()};
      return outcome;
    }
  }

  read_lease lease(file.get());
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return fail("the file's status can't be read", errno);
  const file_identity identity = file_identity::of(status);
  // Unless all of it can be read in one state:
  outcome.no = {
      setback_kind::busy,
      error(stage::snapshot, wanted.path, "somebody is writing the file").advise("it is loaded when they are done"),
      identity};
  if (replaced) return outcome;
  // Without a lease the file's own time must tell, or ours if its clock is ahead.
  const bool in_doubt = lease.writer() || (!lease.granted() && !identity.settled(without_lease));
  writer_patience::file* const waited =
      in_doubt && wanted.patience != nullptr ? &wanted.patience->about(identity) : nullptr;
  if (in_doubt && (waited == nullptr || std::chrono::steady_clock::now() - waited->since < held_open)) return outcome;

  const std::uint64_t size = identity.size;
  if (!reserve(static_cast<std::size_t>(size))) return fail("there is no memory to read the file", ENOMEM);
  const std::uint64_t head = size <= small || wanted.whole ? size : head_size;
  if (!read_all(file.get(), buffer_, {0, head})) return outcome;
  copied_ = head == size ? std::vector<file_range>{{0, size}} : mapped_ranges(buffer_, size);
  for (const file_range& range : copied_) {
    if (!read_all(file.get(), buffer_, {std::max(range.begin, head), range.end})) return outcome;
  }
  // Without the lease its times must tell; with it they may change: by a rename over its name, say.
  if (!lease.kept() && (fstat(file.get(), &status) != 0 || !(file_identity::of(status) == identity))) return outcome;
  if (lease.writer() && !lies_still(*waited)) return outcome;
  outcome.unfinished_for = lease.writer() ? finished : rest_until_finished(identity, lease.granted(), wanted.patience);
  lease.give_back();

  outcome.no.reset();
  outcome.bytes = {buffer_, static_cast<std::size_t>(size)};
  outcome.image.source = identity;
  outcome.image.size = size;
  outcome.image.later = gaps(copied_, size);
  outcome.image.origin = std::move(file);
  outcome.image.path = wanted.path;
  return outcome;
}

snapshotter::place snapshotter::in_memory(const std::string& name) {
  place made;
  made.memory = unique_fd(new_memfd(base_name(name)));
  if (made.memory) made.path = proc_path(made.memory.get());
  // A number that somebody closed behind us names a library that is still loaded: the loader would answer with that.
  while (!made.path.empty() && is_loaded(made.path)) {
    made.memory = unique_fd(fcntl(made.memory.get(), F_DUPFD_CLOEXEC, made.memory.get() + 1));
    made.path = made.memory ? proc_path(made.memory.get()) : std::string();
  }
  if (made.path.empty()) made.memory = unique_fd();
  return made;
}

void snapshotter::prepare(const snapshot& last) {
  if (ready_.memory.still_ours() || last.size > keep_warm) return;
  const quiet_file_limit quiet;
  ready_ = in_memory(last.path);
  // Its pages, too.
  const auto size = static_cast<off_t>(last.size);
  if (ready_.memory && fallocate(ready_.memory.get(), 0, 0, size) == 0) ready_.size = last.size;
}

result<void> snapshotter::keep(snapshot& image) {
  const quiet_file_limit quiet;
  const std::string& path = image.path;
  place into = std::exchange(ready_, {});
  if (!into.memory.still_ours()) into = in_memory(path);
  if (!into.memory) {
    const int reason = errno;
    into.memory = unique_fd(new_temporary(into.path));
    if (into.memory) into.named = temporary_name(into.path);
    if (!into.memory) {
      return error(stage::snapshot, path,
                   "no place for a private copy: neither memfd with /proc nor a temporary folder")
          .system(system_text(reason))
          .advise("mount /proc, or point TMPDIR to a folder that is writable and not mounted noexec");
    }
  }
  image.load_path = into.path;
  image.named = std::move(into.named);
  unique_fd memory = std::move(into.memory);
  const auto fail = [&]() -> result<void> {
    const int reason = errno;
    error failure = error(stage::snapshot, path, "the private copy can't be written").system(system_text(reason));
    if (reason == EFBIG) failure.advise("raise the limit of file sizes (ulimit -f, RLIMIT_FSIZE): memory counts, too");
    return failure;
  };
  // The size comes first, or what follows the last mapped part would be missing.
  if (into.size != image.size && ftruncate(memory.get(), static_cast<off_t>(image.size)) != 0) return fail();
  if (!image.later.empty()) {
    // Until complete() has brought the sections there are none, or a debugger would read zeros as debug information.
    Elf64_Ehdr header;
    std::memcpy(&header, buffer_, sizeof header);
    image.changes.push_back({0, std::string(reinterpret_cast<const char*>(&header), sizeof header)});
    header.e_shoff = 0;
    header.e_shnum = header.e_shstrndx = 0;
    if (pwrite(memory.get(), &header, sizeof header, 0) != sizeof header) return fail();
    for (file_range range : copied_) {
      range.begin = std::max<std::uint64_t>(range.begin, sizeof header);
      if (!write_all(memory.get(), buffer_, range)) return fail();
    }
  } else {
    for (const file_range& range : copied_) {
      if (!write_all(memory.get(), buffer_, range)) return fail();
    }
  }
  image.memory = std::move(memory);
  if (!add_stack_header(image, {buffer_, used_})) return fail();
  return {};
}

std::string original_name(const std::string& load_path) {
  if (!load_path.starts_with("/proc/") || load_path.find("/fd/") == std::string::npos) return {};
  std::array<char, PATH_MAX> target{};
  const ssize_t length = readlink(load_path.c_str(), target.data(), target.size() - 1);
  std::string_view name(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  name.remove_prefix(std::min(name.size(), name.rfind('/') + 1));  // "/memfd:libplugin.so (deleted)"
  if (name.starts_with("memfd:")) name.remove_prefix(6);
  if (name.ends_with(" (deleted)")) name.remove_suffix(10);
  return name.empty() ? "a library" : std::string(name);
}

std::string snapshot::folder() const {
  std::array<char, PATH_MAX> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(origin.get());
  const ssize_t length = readlink(link.c_str(), target.data(), target.size() - 1);
  std::string real(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  if (real.empty() || real.front() != '/') {
    char* const resolved = realpath(path.c_str(), nullptr);
    real = resolved != nullptr ? resolved : path;
    std::free(resolved);
  }
  const std::size_t slash = real.rfind('/');
  return slash == std::string::npos ? "." : real.substr(0, std::max<std::size_t>(slash, 1));
}

bool snapshot::patch(std::uint64_t offset, const std::string& original, const std::string& text) {
  const quiet_file_limit quiet;
  if (!write_all(memory.get(), reinterpret_cast<const std::byte*>(text.data()) - offset,
                 {offset, offset + text.size()})) {
    return false;
  }
  changes.push_back({offset, original});
  return true;
}

bool snapshotter::same_content(const snapshot& other) const {
  if (other.size != used_ || !other.memory.still_ours()) return false;
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
      if (got <= 0 || std::memcmp(chunk.data(), buffer_ + at, static_cast<std::size_t>(got)) != 0) return false;
      at += static_cast<std::uint64_t>(got);
    }
  }
  return true;
}

namespace {

// Whether all of it arrived and the file is still the one that was loaded.
bool copy_rest(const snapshot& image) {
  const quiet_file_limit quiet;
  std::vector<std::byte> chunk(std::size_t{256} * 1024);
  for (const file_range& range : image.later) {
    for (std::uint64_t at = range.begin; at < range.end;) {
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(range.end - at, chunk.size()));
      const ssize_t got = pread(image.origin.get(), chunk.data(), want, static_cast<off_t>(at));
      if (got <= 0 ||
          pwrite(image.memory.get(), chunk.data(), static_cast<std::size_t>(got), static_cast<off_t>(at)) != got) {
        return false;
      }
      at += static_cast<std::uint64_t>(got);
    }
  }
  Elf64_Ehdr original;
  Elf64_Ehdr header;  // where the program headers are may have been changed
  struct stat now {};
  if (pread(image.origin.get(), &original, sizeof original, 0) != sizeof original ||
      pread(image.memory.get(), &header, sizeof header, 0) != sizeof header || fstat(image.origin.get(), &now) != 0 ||
      !(file_identity::of(now) == image.source)) {
    return false;
  }
  header.e_shoff = original.e_shoff;
  header.e_shnum = original.e_shnum;
  header.e_shstrndx = original.e_shstrndx;
  return pwrite(image.memory.get(), &header, sizeof header, 0) == sizeof header;
}

}  // namespace

void complete(snapshot& image) {
  const bool ours = image.memory.still_ours();  // another's file must not be written to
  if (ours && image.origin.still_ours() && !image.later.empty()) (void)copy_rest(image);
  image.later.clear();
  image.origin = unique_fd();
  if (ours) fcntl(image.memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

}  // namespace autoreload
