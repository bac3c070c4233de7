// SPDX-License-Identifier: MIT
// own_test: what a library has of its own, and what the loader has of it, is no reason to keep it loaded.
#include <cstring>

#include "story.hpp"

namespace {

using story::in_child;
using story::say;
using story::stage;

// Loads it, calls `leave`, replaces it, and expects that it goes though everything was looked at.
void expect_to_leave(const std::string& source, const std::string& flags = "") {
  const int status = in_child([&] {
    stage here(source, flags, autoreload::unload_when(autoreload::unload_policy::all));
    story::leave_behind(here, {{}, {}, [](void* (*leave)(void*)) { leave(nullptr); }});
    if (!here.replace()) return static_cast<int>(story::not_replaced);
    if (here.until([&] { return here.unloaded(); })) return static_cast<int>(story::good);
    say("told: " + here.told());
    return static_cast<int>(story::stays);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == story::good) << "status " << status;
}

TEST(Own, NothingAtAll) { expect_to_leave("void *leave(void *x) { return x; }"); }

TEST(Own, RegistrationsThatCarryTheLibrarysHandle) {
  expect_to_leave(
      "#include <stdlib.h>\n#include <pthread.h>\nstatic int count; static void bye(void) { ++count; }"
      "void *leave(void *x) { for (int i = 0; i < 40; ++i) { atexit(bye); pthread_atfork(bye, bye, bye); } return x; }",
      "-pthread");
}

TEST(Own, ThreadLocalVariablesThatPointIntoIt) {
  expect_to_leave(
      "static int number_of_it; static __thread int *place = &number_of_it; static __thread const char *text = "
      "\"text\";"
      "void *leave(void *x) { return place != 0 && text != 0 ? x : 0; }");
}

// A ring, as many libraries have: each element leads to the next, the last one to the head in the library.
TEST(Own, ElementsOnTheHeapThatOnlyTheLibraryLeadsTo) {
  expect_to_leave(
      "#include <stdlib.h>\nstruct node { struct node *next, *before; void (*act)(void); };"
      "static void act(void) {} static struct node head = {&head, &head, act};"
      "void *leave(void *x) { for (int i = 0; i < 1000; ++i) { struct node *n = malloc(sizeof *n); n->next = &head;"
      "n->before = head.before; n->act = act; head.before->next = n; head.before = n; } return x; }");
}

TEST(Own, ElementsThatAThreadOfTheHostAllocated) {
  const int status = in_child([&] {
    stage here(
        "#include <stdlib.h>\nstatic void act(void) {} static void (**kept)(void);"
        "void *leave(void *x) { kept = malloc(64); *kept = act; return x; }",
        "", autoreload::unload_when(autoreload::unload_policy::all));
    std::thread([&] { story::leave_behind(here, {{}, {}, [](void* (*leave)(void*)) { leave(nullptr); }}); }).join();
    if (!here.replace()) return static_cast<int>(story::not_replaced);
    if (here.until([&] { return here.unloaded(); })) return static_cast<int>(story::good);
    say("told: " + here.told());
    return static_cast<int>(story::stays);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == story::good) << "status " << status;
}

struct node {
  node* next;
  int (*act)();
};
node* hosts_list;

// The library leads to it, but so does the host.
TEST(Own, AnElementThatTheHostLeadsToAsWellIsAHolder) {
  story::play one{
      "#include <stdlib.h>\nstruct node { struct node *next; int (*act)(void); }; static struct node *volatile mine;"
      "static int act(void) { return 42; }"
      "void *leave(void *x) { (void)x; struct node *inner = malloc(sizeof *inner); inner->next = 0;"
      "inner->act = act; mine = malloc(sizeof *mine); mine->next = inner; mine->act = 0; return mine; }"};
  one.leave = [](void* (*leave)(void*)) { hosts_list = static_cast<node*>(leave(nullptr)); };
  one.come_back = [] { return hosts_list->next->act() == 42; };
  one.let_go = [] { hosts_list = nullptr; };
  one.expected = "heap block of 24 bytes";
  story::expect(one);
}

// It ends its thread and takes its handler back itself, when it is told to.
TEST(Own, ALibraryThatIsToldBeforeItIsUnloadedMayClearUpFirst) {
  expect_to_leave(
      "#include <pthread.h>\n#include <signal.h>\n#include <time.h>\nstatic volatile int quit; static pthread_t thread;"
      "static void on_signal(int s) { (void)s; }"
      "static void *work(void *x) { while (!quit) { struct timespec t = {0, 1000000}; nanosleep(&t, 0); } return x; }"
      "void autoreload_unloading(void) { quit = 1; pthread_join(thread, 0); signal(SIGUSR1, SIG_DFL); }"
      "void *leave(void *x) { signal(SIGUSR1, on_signal); pthread_create(&thread, 0, work, 0); return x; }",
      "-pthread");
}

}  // namespace
