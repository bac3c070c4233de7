// SPDX-License-Identifier: MIT
// left_test: each thing that a library can leave behind: without the policy the program crashes, with it it does not.
#include <semaphore.h>
#include <atomic>
#include <csetjmp>
#include <list>
#include <memory>

#include "story.hpp"

namespace {

using story::expect;
using story::play;
using story::secret;

// ---- who runs in it

// What library and host both see. It is the host's, so nobody's pointer to it keeps the library.
struct shared {
  std::atomic<int> beats{0};
  std::atomic<int> wish{0};
};
shared both;

// Goes on until the library has done something once more; that ends by a crash, if its code is gone.
bool it_goes_on() {
  const int before = both.beats;
  const auto deadline = std::chrono::steady_clock::now() + support::patience;
  while (both.beats < before + 2) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

constexpr const char* worker = R"(
#include <pthread.h>
#include <time.h>
struct shared { volatile int beats, wish; };
static struct shared *both;
static pthread_t thread;
static volatile int quit;
static void breathe(void) { struct timespec t = {0, 2000000}; nanosleep(&t, 0); }
static void *work(void *x) { while (!quit) { if (both->wish) breathe(); ++both->beats; } return x; }
static void stop(void) { quit = 1; pthread_join(thread, 0); }
void *leave(void *x) { both = x; pthread_create(&thread, 0, work, 0); return (void*)stop; }
)";

play with_a_worker(bool that_waits) {
  static secret<void()> stop;
  play one{worker, "-pthread"};
  one.policy = autoreload::unload_policy::threads;
  one.leave = [that_waits](void* (*leave)(void*)) {
    both.wish = that_waits ? 1 : 0;
    stop = secret<void()>(reinterpret_cast<void (*)()>(leave(&both)));
  };
  one.come_back = it_goes_on;
  one.let_go = [] { stop.get()(); };
  return one;
}

TEST(Left, AThreadThatTheLibraryStartedAndThatRuns) {
  play one = with_a_worker(false);
  one.expected = " in work()";
  expect(one);
}

TEST(Left, AThreadThatTheLibraryStartedAndThatSleeps) {
  play one = with_a_worker(true);
  one.expected = " returns into ";
  expect(one);
}

// The host's own thread is inside of libc, which calls the library.
TEST(Left, AQsortUnderWayInAnotherThread) {
  static secret<int(const void*, const void*)> compare;
  static std::thread sorter;
  play one{
      "#include <time.h>\nstruct shared { volatile int beats, wish; }; static struct shared *both;"
      "static int compare(const void *a, const void *b) { ++both->beats; while (!both->wish) {"
      "struct timespec t = {0, 1000000}; nanosleep(&t, 0); } return *(const int*)a - *(const int*)b; }"
      "void *leave(void *x) { both = x; return (void*)compare; }"};
  one.policy = autoreload::unload_policy::threads;
  one.leave = [](void* (*leave)(void*)) {
    compare = secret<int(const void*, const void*)>(reinterpret_cast<int (*)(const void*, const void*)>(leave(&both)));
    sorter = std::thread([] {
      static int numbers[100];
      for (int i = 0; i < 100; ++i) numbers[i] = 100 - i;
      std::qsort(numbers, 100, sizeof(int), compare.get());
    });
    while (both.beats == 0) std::this_thread::yield();
  };
  one.come_back = [] {
    both.wish = 1;
    sorter.join();
    return true;
  };
  one.let_go = [] {};
  one.expected = "compare()";
  expect(one);
}

// ---- whom the kernel calls

TEST(Left, ASignalHandler) {
  play one{
      "#include <signal.h>\nstatic volatile int got; static void on_signal(int s) { (void)s; ++got; }"
      "void *leave(void *x) { (void)x; signal(SIGUSR1, on_signal); return 0; }"};
  one.policy = autoreload::unload_policy::threads;
  one.leave = [](void* (*leave)(void*)) { leave(nullptr); };
  one.come_back = [] { return raise(SIGUSR1) == 0; };
  one.let_go = [] { signal(SIGUSR1, SIG_DFL); };
  one.expected = "the handler of SIGUSR1 is on_signal()";
  expect(one);
}

TEST(Left, AnIntervalTimersHandler) {
  play one{
      "#include <signal.h>\n#include <sys/time.h>\nstatic volatile int *got;"
      "static void on_time(int s) { (void)s; ++*got; }"
      "void *leave(void *x) { got = x; signal(SIGALRM, on_time); struct itimerval t = {{0, 20000}, {0, 400000}};"
      "setitimer(ITIMER_REAL, &t, 0); return 0; }"};
  one.policy = autoreload::unload_policy::threads;
  one.leave = [](void* (*leave)(void*)) { leave(&both.beats); };
  one.come_back = it_goes_on;
  one.let_go = [] {
    const itimerval none{};
    setitimer(ITIMER_REAL, &none, nullptr);
    signal(SIGALRM, SIG_DFL);
  };
  one.expected = "the handler of SIGALRM is on_time()";
  expect(one);
}

// The C library keeps the function on the heap, and calls it on a thread that it starts each time.
TEST(Left, ATimerThatCallsAFunctionOnAThread) {
  static timer_t timer;
  play one{
      "#include <signal.h>\n#include <time.h>\n"
      "static void on_time(union sigval v) { ++*(volatile int*)v.sival_ptr; }"
      "void *leave(void *x) { static timer_t timer; struct sigevent e = {0}; e.sigev_notify = SIGEV_THREAD;"
      "e.sigev_value.sival_ptr = x; e.sigev_notify_function = on_time; struct itimerspec t = {{0, 20000000}, {0, "
      "400000000}};"
      "timer_create(CLOCK_MONOTONIC, &e, &timer); timer_settime(timer, 0, &t, 0); return timer; }",
      "-lrt"};
  one.leave = [](void* (*leave)(void*)) { timer = leave(&both.beats); };
  one.come_back = it_goes_on;
  one.let_go = [] { timer_delete(timer); };
  one.expected = "leads to on_time()";
  expect(one);
}

TEST(Left, AHandlerForTheProgramsEnd) {
  // Not by atexit: that is called when the library is unloaded, see own_test.cpp.
  play one{
      "#include <stdlib.h>\nstatic volatile int got; static void bye(int s, void *x) { (void)s; (void)x; ++got; }"
      "void *leave(void *x) { on_exit(bye, x); return 0; }"};
  one.leave = [](void* (*leave)(void*)) { leave(nullptr); };
  one.come_back = []() -> bool { std::exit(story::good); };
  one.expected = "leads to bye(), hidden";
  expect(one);
}

TEST(Left, AThreadKeysDestructor) {
  static pthread_key_t key;
  play one{
      "#include <pthread.h>\nstatic volatile int got; static void gone(void *x) { (void)x; ++got; }"
      "void *leave(void *key) { pthread_key_create((pthread_key_t*)key, gone); return 0; }",
      "-pthread"};
  one.leave = [](void* (*leave)(void*)) { leave(&key); };
  one.come_back = [] {
    std::thread([] { pthread_setspecific(key, &key); }).join();
    return true;
  };
  one.let_go = [] { pthread_key_delete(key); };
  one.expected = "leads to gone()";
  expect(one);
}

// ---- who has a pointer

constexpr const char* answering =
    "static int answer(void) { return 42; }\n"
    "void *leave(void *x) { (void)x; return (void*)answer; }";
using function = int (*)();

function answer_of(void* (*leave)(void*)) { return reinterpret_cast<function>(leave(nullptr)); }

function table_of_callbacks[4];

TEST(Left, ACallbackInTheHostsTable) {
  play one{answering};
  one.leave = [](void* (*leave)(void*)) { table_of_callbacks[2] = answer_of(leave); };
  one.come_back = [] { return table_of_callbacks[2]() == 42; };
  one.let_go = [] { table_of_callbacks[2] = nullptr; };
  one.expected = "table_of_callbacks+0x10 of";
  expect(one);
}

std::function<int()> kept_function;

TEST(Left, AStdFunction) {
  play one{answering};
  one.leave = [](void* (*leave)(void*)) { kept_function = answer_of(leave); };
  one.come_back = [] { return kept_function() == 42; };
  one.let_go = [] { kept_function = function([] { return 0; }); };  // null would leave the old pointer in its place
  one.expected = "variable (anonymous namespace)::kept_function";
  expect(one);
}

TEST(Left, ANodeOnTheHeap) {
  static std::list<function> list;
  play one{answering};
  one.leave = [](void* (*leave)(void*)) { list.push_back(answer_of(leave)); };
  one.come_back = [] { return list.front()() == 42; };
  one.let_go = [] { list.clear(); };
  one.expected = "heap block of 24 bytes at 0x";
  expect(one);
}

thread_local function of_this_thread;

TEST(Left, AThreadLocalVariable) {
  play one{answering};
  one.leave = [](void* (*leave)(void*)) { of_this_thread = answer_of(leave); };
  one.come_back = [] { return of_this_thread() == 42; };
  one.let_go = [] { of_this_thread = nullptr; };
  one.expected = "of_this_thread";
  expect(one);
}

TEST(Left, AThreadLocalVariableOfAnotherThread) {
  static sem_t go;
  static std::thread other;
  static function given;
  play one{answering};
  one.leave = [](void* (*leave)(void*)) {
    sem_init(&go, 0, 0);
    given = answer_of(leave);
    other = std::thread([] {
      of_this_thread = std::exchange(given, nullptr);
      sem_wait(&go);
      if (of_this_thread() != 42) std::abort();
    });
    while (given != nullptr) std::this_thread::yield();
  };
  one.come_back = [] {
    sem_post(&go);
    other.join();
    return true;
  };
  one.let_go = [] {};
  one.expected = "of_this_thread";
  expect(one);
}

TEST(Left, APointerToTheLibrarysData) {
  static const char* kept;
  play one{"void *leave(void *x) { (void)x; return (void*)\"text of the library's\"; }"};
  one.leave = [](void* (*leave)(void*)) { kept = static_cast<const char*>(leave(nullptr)); };
  one.come_back = [] { return std::string(kept) == "text of the library's"; };
  one.let_go = [] { kept = nullptr; };
  one.expected = "kept";
  expect(one);
}

// Hidden by the C library's guard. Nobody may jump there, as the function has returned; but it is seen.
TEST(Left, AJumpBuffer) {
  static jmp_buf place;
  play one{"#include <setjmp.h>\nvoid *leave(void *place) { if (setjmp(*(jmp_buf*)place)) return place; return 0; }"};
  one.leave = [](void* (*leave)(void*)) { leave(&place); };
  one.come_back = [] { return true; };
  one.let_go = [] { place[0] = {}; };
  one.expected = "hidden as setjmp()";
  expect(one, false);
}

}  // namespace
