/* SPDX-License-Identifier: MIT */
/* facts: asks a system for what the engine builds on, one line an answer. C alone, so that it also runs where Debian
 * has no C++ library (musl).
 *
 * usage: facts LIBRARY      (any small library; copies of it are loaded)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef F_SETSIG /* musl has it only with _GNU_SOURCE in some versions */
#define F_SETSIG 10
#endif
#ifndef F_SETLEASE
#define F_SETLEASE 1024
#endif

static void answer(const char* question, int yes) { printf("%s: %s\n", question, yes ? "yes" : "no"); }

/* A copy in memory, as the snapshot stage makes it, and the name that it is loaded by. */
static int copy_to_memory(const char* path, char name[64]) {
  char buffer[65536];
  char self[32] = "";
  const int from = open(path, O_RDONLY | O_CLOEXEC);
  const int to = memfd_create("facts", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ssize_t got;
  while ((got = read(from, buffer, sizeof buffer)) > 0) {
    if (write(to, buffer, (size_t)got) != got) return -1;
  }
  close(from);
  if (readlink("/proc/self", self, sizeof self - 1) <= 0) return -1;
  snprintf(name, 64, "/proc/%s/fd/%d", self, to);
  return to;
}

static int is_mapped(const char* what) {
  char line[512];
  int found = 0;
  FILE* const maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) found |= strstr(line, what) != NULL;
  if (maps != NULL) fclose(maps);
  return found;
}

static int shared_word;
static int set_shared_word(void* unused) {
  (void)unused;
  shared_word = 1;
  return 0;
}

static void leases(const char* directory) {
  char path[256];
  snprintf(path, sizeof path, "%s/leased", directory);
  const int writer = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const int reader = open(path, O_RDONLY | O_CLOEXEC);
  answer("a read lease is refused while somebody writes (EAGAIN)",
         fcntl(reader, F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN);
  close(writer);
  answer("its signal can be chosen (F_SETSIG)", fcntl(reader, F_SETSIG, 0) == 0);
  answer("a read lease is given when nobody writes", fcntl(reader, F_SETLEASE, F_RDLCK) == 0);
  fcntl(reader, F_SETLEASE, F_UNLCK);
  close(reader);
  unlink(path);
}

static void events(const char* directory) {
  char from[256];
  char to[256];
  char event[4096];
  snprintf(from, sizeof from, "%s/new", directory);
  snprintf(to, sizeof to, "%s/name", directory);
  close(open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  inotify_add_watch(inotify, directory, IN_MOVED_TO);
  rename(from, to);
  const ssize_t got = read(inotify, event, sizeof event);
  answer("inotify tells of a rename at once", got > 0);
  close(inotify);
  unlink(to);
}

int main(int count, char** words) {
  if (count != 2) return 2;
  char directory[] = "/tmp/autoreload-facts-XXXXXX";
  if (mkdtemp(directory) == NULL) return 1;

  answer("membarrier registers (private expedited)",
         syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
  answer("membarrier runs", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
  leases(directory);
  events(directory);

  char first[64];
  char second[64];
  const int one = copy_to_memory(words[1], first);
  const int two = copy_to_memory(words[1], second);
  void* const a = dlopen(first, RTLD_NOW | RTLD_LOCAL);
  void* const b = dlopen(second, RTLD_NOW | RTLD_LOCAL);
  answer("a library is loaded from a memfd by /proc/PID/fd/N", a != NULL);
  answer("two copies lie side by side", a != NULL && b != NULL && a != b);
  answer("a memfd's mapping is named in /proc/self/maps", is_mapped("memfd:facts"));
  answer("the memfd can be sealed while it is mapped",
         fcntl(one, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
  if (a != NULL) dlclose(a);
  answer("RTLD_NOLOAD no longer finds a closed library", dlopen(first, RTLD_NOLOAD | RTLD_NOW) == NULL);
  if (b != NULL) dlclose(b);
  answer("dlclose unmaps the code", !is_mapped("memfd:facts"));
  close(one);
  close(two);

  static char stack[65536] __attribute__((aligned(16)));
  const pid_t child = clone(set_shared_word, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
  waitpid(child, NULL, 0);
  answer("a child by CLONE_VM shares memory", shared_word == 1);
  rmdir(directory);
  return 0;
}
