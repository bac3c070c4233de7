/* SPDX-License-Identifier: MIT */
/* strict_thread: preloaded by a test. From the moment that a thread calls itself "audio" it may not allocate, lock or
 * wait any more, and of the kernel it may ask nothing but to sleep until its next block: whatever else it does ends the
 * process with a word about it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread int strict __attribute__((tls_model("initial-exec")));

static void refuse(const char* what) {
  strict = 0;
  static const char before[] = "the audio thread called ";
  (void)!write(STDERR_FILENO, before, sizeof before - 1);
  (void)!write(STDERR_FILENO, what, strlen(what));
  (void)!write(STDERR_FILENO, "\n", 1);
  abort();
}

static void check(const char* what) {
  if (strict) refuse(what);
}

/* glibc's own names for its allocator, so that nothing has to be looked up in the first call. */
extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);
extern void __libc_free(void*);

void* malloc(size_t size) {
  check("malloc");
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  check("calloc");
  return __libc_calloc(count, size);
}

void* realloc(void* old, size_t size) {
  check("realloc");
  return __libc_realloc(old, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  check("aligned_alloc");
  return __libc_memalign(alignment, size);
}

void free(void* memory) {
  if (memory != NULL) check("free");
  __libc_free(memory);
}

#define CHECKED(name, type, argument)                           \
  int name(type* argument) {                                    \
    static int (*real)(type*);                                  \
    check(#name);                                               \
    if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, #name); \
    return real(argument);                                      \
  }
CHECKED(pthread_mutex_lock, pthread_mutex_t, mutex)
CHECKED(pthread_mutex_trylock, pthread_mutex_t, mutex)
CHECKED(pthread_rwlock_rdlock, pthread_rwlock_t, lock)
CHECKED(pthread_rwlock_wrlock, pthread_rwlock_t, lock)
CHECKED(pthread_spin_lock, volatile int, lock)

/* For this thread alone, for the rest of its life: so the end of a thread must be allowed, too. */
static int forbid_system_calls(void) {
#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      ALLOW(clock_nanosleep),
      ALLOW(restart_syscall),
      ALLOW(rt_sigreturn),
      ALLOW(madvise),
      ALLOW(rt_sigprocmask),
      ALLOW(exit),
      ALLOW(exit_group),
      ALLOW(write),
      ALLOW(gettid),
      ALLOW(getpid),
      ALLOW(tgkill), /* refuse() and abort() */
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const struct sock_fprog filter = {sizeof program / sizeof *program, program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

int pthread_setname_np(pthread_t thread, const char* name) {
  static int (*real)(pthread_t, const char*);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "pthread_setname_np");
  const int answer = real(thread, name);
  if (strcmp(name, "audio") == 0) {
    if (!forbid_system_calls()) refuse("for seccomp and did not get it");
    strict = 1;
  }
  return answer;
}
