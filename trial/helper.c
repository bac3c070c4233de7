// SPDX-License-Identifier: MIT
// helper: loads one library and unloads it, in a process that may die of it. Plain C, so that it starts fast.
//
// autoreload-trial REPORT FLAGS UNLOAD PATH [d:DEPENDENCY | s:SYMBOL | t:TEST | o:OPTIONAL-TEST | c:CALLED]...
//   REPORT  descriptor of a struct trial_report and the calls to be made, to be mapped
//   FLAGS   dlopen's, as a decimal number
//   UNLOAD  1 to call dlclose, 0 not to
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper.h"

static struct trial_report* report;

void enter(enum trial_phase phase, int item) {
  report->item = (uint32_t)item;
  __atomic_store_n(&report->phase, (uint32_t)phase, __ATOMIC_SEQ_CST);
}

static struct trial_report* map_report(int descriptor) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return NULL;
  void* const page = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  return page == MAP_FAILED ? NULL : page;
}

static void run_tests(void* library, int count, char** words) {
  for (int i = 0; i < count; ++i) {
    if (words[i][0] != 't' && words[i][0] != 'o') continue;
    int (*test)(void) = NULL;
    *(void**)&test = dlsym(library, words[i] + 2);
    if (test == NULL && words[i][0] == 'o') continue;
    if (test == NULL) {
      enter(trial_untested, 0);
      _exit(0);
    }
    enter(trial_testing, 0);
    const int answer = test();
    if (answer != 0) {
      enter(trial_failed, answer);
      _exit(0);
    }
  }
}

int main(int argc, char** argv) {
  if (argc < 5) {
    static const char usage[] =
        "usage: autoreload-trial REPORT FLAGS UNLOAD PATH [d:DEPENDENCY | s:SYMBOL | t:TEST | o:OPTIONAL-TEST | "
        "c:CALLED]...\n";
    return write(STDERR_FILENO, usage, sizeof usage - 1) < 0 ? 3 : 2;
  }
  const int flags = atoi(argv[2]);
  const int unload = atoi(argv[3]);
  const char* const path = argv[4];
  report = map_report(atoi(argv[1]));
  if (report == NULL) return 2;

  // A crash is an answer here, no accident: no core dump, and no crash collector woken.
  prctl(PR_SET_DUMPABLE, 0);

  if (access(path, F_OK) != 0) {
    enter(trial_no_path, 0);
    _exit(0);
  }
  for (int i = 5; i < argc; ++i) {
    if (argv[i][0] != 'd') continue;
    enter(trial_dependency, i - 5);
    dlopen(argv[i] + 2, RTLD_NOW);  // when it fails the library's own dlopen will say what matters
  }
  enter(trial_loading, 0);
  void* const library = dlopen(path, flags);
  if (library == NULL) {
    enter(trial_refused, 0);
    _exit(0);
  }
  for (int i = 5; i < argc; ++i) {
    if (argv[i][0] != 's') continue;
    enter(trial_symbol, i - 5);
    (void)dlsym(library, argv[i] + 2);
  }
  tell_crashes(report, path);
  run_tests(library, argc - 5, argv + 5);
  make_calls(report, library, argc - 5, argv + 5);
  if (unload) {
    enter(trial_unloading, 0);
    dlclose(library);
  }
  enter(trial_done, 0);
  _exit(0);  // not exit: what the library left to run at exit is not the trial's business
}
