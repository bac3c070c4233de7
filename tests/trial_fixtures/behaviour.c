// SPDX-License-Identifier: MIT
// behaviour: a library that behaves badly, or well, in the way that BEHAVIOUR names.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define good 0
#define crashes 1
#define exits 2
#define aborts 3
#define hangs 4
#define crashes_at_unload 5
#define needs_host 6
#define leaves_child 7
#define eats_memory 8
#define stops_itself 9
#define checks_surroundings 10
#define closes_everything 11
#define crashes_at_lookup 12
#define spoils_descriptors 13
#define exits_quietly 14
#define test_passes 15
#define test_fails 16
#define test_crashes 17
#define test_hangs 18
#define test_exits 19

int answer(void) { return BEHAVIOUR; }

__attribute__((unused)) static volatile int* volatile nowhere;

// Writes a number to the file that the test named.
static void tell(long number) {
  const char* const name = getenv("TRIAL_FIXTURE_FILE");
  FILE* const file = name != NULL ? fopen(name, "w") : NULL;
  if (file == NULL) return;
  fprintf(file, "%ld\n", number);
  fclose(file);
}

#if BEHAVIOUR >= test_passes && BEHAVIOUR <= test_exits
static int do_test(void) {
#if BEHAVIOUR == test_fails
  fprintf(stderr, "2 and 2 are 5\n");
  return -7;
#elif BEHAVIOUR == test_crashes
  return *nowhere;
#elif BEHAVIOUR == test_hangs
  for (;;) pause();
#elif BEHAVIOUR == test_exits
  exit(0);
#endif
  return 0;
}
int autoreload_selftest(void) {
  tell(1);
  return do_test();
}
int check(void) {
  tell(2);
  return do_test();
}
#endif

#if BEHAVIOUR == needs_host
int given_by_the_host(void);
int passes_on(void) { return given_by_the_host(); }
#endif

#if BEHAVIOUR == crashes_at_lookup
static int picked(void) { return 1; }
__attribute__((used)) static int (*pick(void))(void) {
  raise(SIGILL);
  return picked;
}
int indirect(void) __attribute__((ifunc("pick")));
#endif

#if BEHAVIOUR == checks_surroundings
// Says by exit(40 + n) what is not as a new process should find it.
static void check_surroundings(void) {
  sigset_t mask;
  sigprocmask(SIG_SETMASK, NULL, &mask);
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action;
    if (sigismember(&mask, number) == 1) exit(40);
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL) exit(41);
  }
  if (getsid(0) != getpid()) exit(42);
  char byte;
  if (read(STDIN_FILENO, &byte, 1) != 0) exit(43);
  struct rlimit core;
  getrlimit(RLIMIT_CORE, &core);
  if (core.rlim_cur != 0) exit(44);
  int open_files = 0;
  for (int descriptor = STDERR_FILENO + 1; descriptor < 1024; ++descriptor) {
    open_files += fcntl(descriptor, F_GETFD) != -1;
  }
  if (open_files > 2) exit(45);  // the library itself, and the loader's descriptor for it
  puts("nobody should see this");
  fflush(stdout);
}
#endif

__attribute__((constructor)) static void begin(void) {
#if BEHAVIOUR == crashes
  *nowhere = 1;
#elif BEHAVIOUR == exits
  fputs("configuration file not found\n", stderr);
  exit(3);
#elif BEHAVIOUR == exits_quietly
  _exit(0);
#elif BEHAVIOUR == aborts
  for (int i = 0; i < 100; ++i) fprintf(stderr, "line %d of a long complaint\n", i);
  abort();
#elif BEHAVIOUR == hangs
  tell(getpid());
  for (;;) pause();
#elif BEHAVIOUR == leaves_child
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  tell(child);
#elif BEHAVIOUR == eats_memory
  for (;;) {
    char* const piece = malloc(16 << 20);
    if (piece == NULL) exit(9);
    memset(piece, 1, 16 << 20);
    nowhere = (volatile int*)piece;
  }
#elif BEHAVIOUR == stops_itself
  raise(SIGSTOP);
#elif BEHAVIOUR == checks_surroundings
  check_surroundings();
#elif BEHAVIOUR == closes_everything
  for (int descriptor = 0; descriptor < 1024; ++descriptor) close(descriptor);
#elif BEHAVIOUR == spoils_descriptors
  for (int descriptor = 3; descriptor < 1024; ++descriptor) {
    if (ftruncate(descriptor, 0) == 0 || pwrite(descriptor, "spoilt", 6, 0) > 0) exit(50);
  }
#endif
  (void)tell;
}

__attribute__((destructor)) static void end(void) {
#if BEHAVIOUR == crashes_at_unload
  *nowhere = 1;
#endif
}
