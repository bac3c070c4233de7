// SPDX-License-Identifier: MIT
// helper: loads one library and unloads it, in a process that may die of it. Plain C, so that it starts fast.
//
// autoreload-trial REPORT FLAGS UNLOAD PATH [d:DEPENDENCY | s:SYMBOL | t:TEST | o:OPTIONAL-TEST]...
//   REPORT  descriptor of a struct trial_report, to be mapped
//   FLAGS   dlopen's, as a decimal number
//   UNLOAD  1 to call dlclose, 0 not to
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "report.h"

static struct trial_report* report;

static void enter(enum trial_phase phase, int item) {
  report->item = (uint32_t)item;
  __atomic_store_n(&report->phase, (uint32_t)phase, __ATOMIC_SEQ_CST);
}

int main(int argc, char** argv) {
  if (argc < 5) {
    static const char usage[] =
        "usage: autoreload-trial REPORT FLAGS UNLOAD PATH [d:DEPENDENCY | s:SYMBOL | t:TEST | o:OPTIONAL-TEST]...\n";
    return write(STDERR_FILENO, usage, sizeof usage - 1) < 0 ? 3 : 2;
  }
  const int descriptor = atoi(argv[1]);
  const int flags = atoi(argv[2]);
  const int unload = atoi(argv[3]);
  const char* const path = argv[4];
  void* const page = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (page == MAP_FAILED) return 2;
  close(descriptor);
  report = page;

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
  for (int i = 5; i < argc; ++i) {
    if (argv[i][0] != 't' && argv[i][0] != 'o') continue;
    int (*test)(void) = NULL;
    *(void**)&test = dlsym(library, argv[i] + 2);
    if (test == NULL && argv[i][0] == 'o') continue;
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
  if (unload) {
    enter(trial_unloading, 0);
    dlclose(library);
  }
  enter(trial_done, 0);
  _exit(0);  // not exit: what the library left to run at exit is not the trial's business
}
