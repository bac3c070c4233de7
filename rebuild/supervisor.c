// SPDX-License-Identifier: MIT
// supervisor: runs one build after the other for a host, and leaves nothing of them behind, also when the host is
// killed.
//
// It is a process of its own because the host may end at any moment, and because only a parent can find its children.
// Whatever a build starts becomes a child of this process when its own parent ends (PR_SET_CHILD_SUBREAPER), even when
// it left the build's session. So the supervisor can kill its children until there are none.
#define _GNU_SOURCE
#include "supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { host_gone_grace = 500, give_up_after = 5000 };  // milliseconds

static int children_changed;  // a signalfd of SIGCHLD
static pid_t command;         // the build's first process, which leads its group; 0: none, or reaped
static int command_status;
static uint32_t others_reaped;  // children that were not the command

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void tell(struct supervisor_report report) {
  report.time = now();
  // The host may be gone; then its death is noticed next.
  while (send(supervisor_control, &report, sizeof report, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

// Takes every child that has ended. Returns whether any is left.
static bool reap(void) {
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(-1, &status, WNOHANG | __WALL);
    if (ended < 0 && errno == EINTR) continue;
    if (ended <= 0) return ended == 0;
    if (ended == command) {
      command = 0;
      command_status = status;
    } else {
      ++others_reaped;
    }
  }
}

// Waits until a child ends or the time is up.
static void wait_for_child(int64_t until) {
  const int64_t left = until - now();
  struct pollfd waits = {children_changed, POLLIN, 0};
  struct signalfd_siginfo taken;
  if (left > 0) poll(&waits, 1, (int)((left + 999999) / 1000000));
  while (read(children_changed, &taken, sizeof taken) > 0) {
  }
}

// The parent of a process, by /proc/PID/stat: "PID (NAME) STATE PARENT …", where the name may hold anything.
static pid_t parent_of(const char* process) {
  char path[64];
  char text[512];
  snprintf(path, sizeof path, "/proc/%.20s/stat", process);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  if (size <= 0) return 0;
  text[size] = 0;
  const char* const name_end = strrchr(text, ')');
  int parent = 0;
  return name_end != NULL && sscanf(name_end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static void kill_children(void) {
  DIR* const processes = opendir("/proc");
  if (processes == NULL) return;
  const pid_t self = getpid();
  for (const struct dirent* entry; (entry = readdir(processes)) != NULL;) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || parent_of(entry->d_name) != self) continue;
    kill(atoi(entry->d_name), SIGKILL);
  }
  closedir(processes);
}

// Ends everything that the build left. A child's own children become ours when it ends, hence the loop.
static void end_build(pid_t group, uint32_t grace, struct supervisor_report* report) {
  const uint32_t before = others_reaped;
  if (grace > 0) {
    kill(-group, SIGTERM);  // compilers and make delete what they have written half
    const int64_t until = now() + (int64_t)grace * 1000000;
    while (reap() && now() < until) wait_for_child(until);
  }
  const int64_t patience = now() + (int64_t)give_up_after * 1000000;
  if (command != 0) kill(-group, SIGKILL);  // while it is not reaped, its number is nobody else's
  while (reap() && now() < patience) {
    kill_children();
    wait_for_child(now() + 10000000);
  }
  report->immortal = reap();
  report->left = others_reaped - before;
}

// Starts what a request describes, in a session of its own, without a terminal.
static int start(const struct supervisor_request* request, int words_file, int output) {
  char* const words = mmap(NULL, request->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, words_file, 0);
  if (words == MAP_FAILED) return errno;
  size_t count = 0;
  for (uint32_t i = 0; i < request->size; ++i) count += words[i] == 0;
  char** const list = calloc(count + 2, sizeof *list);
  if (list == NULL || request->arguments + 1 > count || request->arguments == 0) {
    free(list);
    munmap(words, request->size);
    return EINVAL;
  }
  char* at = words;
  const char* const directory = at;
  at += strlen(at) + 1;
  char** const arguments = list;
  for (uint32_t i = 0; i < request->arguments; ++i, at += strlen(at) + 1) arguments[i] = at;
  char** const environment = list + request->arguments + 1;  // a null lies between
  for (size_t i = 0; i < count - 1 - request->arguments; ++i, at += strlen(at) + 1) environment[i] = at;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addchdir_np(&actions, directory);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = 0;
  const int failure = posix_spawnp(&child, arguments[0], &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  free(list);
  munmap(words, request->size);
  if (failure == 0) command = child;
  return failure;
}

// Reads a request with its descriptors; -1 for those that are not there. False: the host closed the socket.
static bool receive(struct supervisor_request* request, int descriptors[2]) {
  union {
    char bytes[CMSG_SPACE(2 * sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec part = {request, sizeof *request};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t size;
  while ((size = recvmsg(supervisor_control, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  descriptors[0] = descriptors[1] = -1;
  if (size != (ssize_t)sizeof *request) return false;
  const struct cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  if (rights != NULL && rights->cmsg_type == SCM_RIGHTS && rights->cmsg_len == CMSG_LEN(2 * sizeof(int))) {
    memcpy(descriptors, CMSG_DATA(rights), 2 * sizeof(int));
  }
  return true;
}

// Nothing of the host's stays open here: somebody may wait for the end of its pipes and files.
static void let_go_of_the_host(void) {
  setsid();
  if (chdir("/") != 0) return;
  const int null = open("/dev/null", O_RDWR);
  for (int stream = 0; stream <= STDERR_FILENO; ++stream) dup2(null, stream);
  if (null > STDERR_FILENO) close(null);
#ifdef SYS_close_range
  if (syscall(SYS_close_range, supervisor_host + 1, ~0U, 0) == 0) return;
#endif
  for (int descriptor = supervisor_host + 1; descriptor < 65536; ++descriptor) close(descriptor);
}

int main(void) {
  struct stat status;
  if (fstat(supervisor_control, &status) != 0 || !S_ISSOCK(status.st_mode)) {
    fputs("autoreload-build is started by autoreload's rebuilder, not by hand\n", stderr);
    return 2;
  }
  let_go_of_the_host();
  fcntl(supervisor_control, F_SETFD, FD_CLOEXEC);
  const bool host_known = fcntl(supervisor_host, F_SETFD, FD_CLOEXEC) == 0;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  struct sigaction standard = {.sa_handler = SIG_DFL};  // ignored, the signal would reap the build unseen
  sigaction(SIGCHLD, &standard, NULL);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  children_changed = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (children_changed < 0) return 1;

  pid_t group = 0;  // of the build that runs; 0: none
  for (;;) {
    struct pollfd waits[3] = {
        {supervisor_control, POLLIN, 0}, {children_changed, POLLIN, 0}, {host_known ? supervisor_host : -1, POLLIN, 0}};
    if (poll(waits, 3, -1) < 0 && errno != EINTR) return 1;
    struct supervisor_report ended = {.news = news_ended};
    struct supervisor_request request = {0};
    int given[2] = {-1, -1};
    const bool ordered = waits[0].revents != 0;
    if (waits[2].revents != 0 || (ordered && !receive(&request, given))) {  // the host has no more use for us
      if (group != 0) end_build(group, host_gone_grace, &ended);
      return 0;
    }
    if (ordered && request.order == order_start && group == 0) {
      const int failure = start(&request, given[0], given[1]);
      group = failure == 0 ? command : 0;
      tell((struct supervisor_report){.news = failure == 0 ? news_started : news_unstarted, .status = failure});
    }
    for (int i = 0; i < 2; ++i) {
      if (given[i] >= 0) close(given[i]);
    }
    wait_for_child(0);
    reap();
    const bool stops = ordered && request.order == order_stop;
    if (group != 0 && (stops || command == 0)) {
      end_build(group, command == 0 ? 0 : request.grace, &ended);
      group = 0;
      ended.status = command_status;
      tell(ended);
    }
  }
}
