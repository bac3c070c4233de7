// SPDX-License-Identifier: MIT
// helper_crash: where in the library a crash was, for the report. The process dies of the signal all the same.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "helper.h"

static struct trial_report* into;
static const char* library_path;
static uintptr_t stack_end;  // of the main thread

enum { highest_signal = 32 };
static struct sigaction
    sanitizers[highest_signal];  // how a sanitizer's runtime reports this signal; empty where none does

#if defined(__x86_64__)

static uintptr_t counter_of(const ucontext_t* context) { return (uintptr_t)context->uc_mcontext.gregs[REG_RIP]; }
static uintptr_t stack_of(const ucontext_t* context) { return (uintptr_t)context->uc_mcontext.gregs[REG_RSP]; }
// Whether the instruction before is a call: of a relative address, or of what a register or a word of memory holds.
static int follows_call(const unsigned char* at) {
  return at[-5] == 0xe8 || (at[-2] == 0xff && (at[-1] & 0x38) == 0x10) || (at[-3] == 0xff && (at[-2] & 0x38) == 0x10) ||
         (at[-6] == 0xff && (at[-5] & 0x38) == 0x10);
}

#elif defined(__aarch64__)

static uintptr_t counter_of(const ucontext_t* context) { return context->uc_mcontext.pc; }
static uintptr_t stack_of(const ucontext_t* context) { return context->uc_mcontext.sp; }
static int follows_call(const unsigned char* at) {
  uint32_t instruction;
  memcpy(&instruction, at - 4, sizeof instruction);
  return (instruction & 0xfc000000) == 0x94000000 || (instruction & 0xfffffc1f) == 0xd63f0000;  // bl, blr
}

#else

static uintptr_t counter_of(const ucontext_t* context) {
  (void)context;
  return 0;
}
static uintptr_t stack_of(const ucontext_t* context) {
  (void)context;
  return 0;
}
static int follows_call(const unsigned char* at) {
  (void)at;
  return 0;
}

#endif

struct crash {
  uintptr_t counter;
  uintptr_t stack;
};

static int in_code(const struct dl_phdr_info* object, uintptr_t address) {
  enum { longest_call = 8 };  // bytes before it may be read
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)* const segment = &object->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) == 0) continue;
    const uintptr_t begin = object->dlpi_addr + segment->p_vaddr;
    if (address >= begin + longest_call && address < begin + segment->p_memsz) return 1;
  }
  return 0;
}

// In the library itself, or where it is left for a function of another one: the first word on the stack that a call in
// the library's code has put there.
static int find_place(struct dl_phdr_info* object, size_t size, void* data) {
  const struct crash* const crash = data;
  (void)size;
  if (strcmp(object->dlpi_name, library_path) != 0) return 0;
  uintptr_t place = 0;
  if (in_code(object, crash->counter)) {
    place = crash->counter;
  } else {
    enum { farthest = 1 << 16 };
    const uintptr_t room = stack_end - crash->stack;
    const uintptr_t end = crash->stack + (room < farthest ? room : farthest);
    for (uintptr_t at = (crash->stack + 7) & ~(uintptr_t)7; crash->stack < stack_end && at + 8 <= end; at += 8) {
      uintptr_t word;
      memcpy(&word, (const void*)at, sizeof word);
      if (!in_code(object, word) || !follows_call((const unsigned char*)word)) continue;
      place = word - 1;
      break;
    }
  }
  into->crash_address = place - object->dlpi_addr;
  into->crash_known = place != 0;
  return 1;
}

// The loader's lock may be in the hands of another thread: then the alarm ends what is not worth waiting for.
static void tell(int number, siginfo_t* info, void* context) {
  into->crash_signal = (uint32_t)number;
  alarm(1);
  struct crash crash = {counter_of(context), stack_of(context)};
  dl_iterate_phdr(find_place, &crash);
  alarm(0);
  if (sanitizers[number].sa_sigaction != NULL) sanitizers[number].sa_sigaction(number, info, context);
  raise(number);  // blocked until the handler returns, and the action is the default one by now
}

// Whether a handler belongs to the runtime of a sanitizer. Such a handler has a report of its own to write.
static int is_sanitizers(const struct sigaction* action) {
  const char* const runtimes[] = {"__asan_init", "__tsan_init"};
  Dl_info handler;
  if (dladdr((const void*)(uintptr_t)action->sa_sigaction, &handler) == 0) return 0;
  for (unsigned i = 0; i < sizeof runtimes / sizeof *runtimes; ++i) {
    const void* const begin = dlsym(RTLD_DEFAULT, runtimes[i]);
    Dl_info runtime;
    if (begin != NULL && dladdr(begin, &runtime) != 0 && runtime.dli_fbase == handler.dli_fbase) return 1;
  }
  return 0;
}

static void give_a_stack(void) {
  static char stack[1 << 16];
  stack_t other;
  if (sigaltstack(NULL, &other) == 0 && (other.ss_flags & SS_DISABLE) == 0) return;  // a sanitizer's
  other = (stack_t){.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&other, NULL);
}

void tell_crashes(struct trial_report* report, const char* path) {
  into = report;
  library_path = path;
  stack_end = (uintptr_t)__builtin_frame_address(0);
  give_a_stack();
  static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; ++i) {
    const int number = signals[i];
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0) continue;
    if ((action.sa_flags & SA_SIGINFO) != 0 && is_sanitizers(&action)) {
      sanitizers[number] = action;
    } else if (action.sa_handler != SIG_DFL) {
      continue;  // the library's own
    }
    memset(&action, 0, sizeof action);
    action.sa_sigaction = tell;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND;
    sigaction(number, &action, NULL);
  }
}
