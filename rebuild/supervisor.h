/* SPDX-License-Identifier: MIT */
/* supervisor: what the host and the process that runs its builds say to each other, one struct in a message. */
#ifndef AUTORELOAD_REBUILD_SUPERVISOR_H
#define AUTORELOAD_REBUILD_SUPERVISOR_H

#include <stdint.h>

/* The descriptors that the supervisor starts with. */
enum {
  supervisor_control = 3, /* the socket, of type SOCK_SEQPACKET */
  supervisor_host = 4,    /* a pidfd of the host, or nothing */
};

enum supervisor_order {
  order_start = 1, /* with two descriptors: the words, and where the output goes */
  order_stop = 2,  /* asks the build to end (SIGTERM), and kills what is left after `grace` */
};

struct supervisor_request {
  uint32_t order;
  uint32_t grace;     /* of a stop: milliseconds */
  uint32_t size;      /* of the words: bytes. Each ends with a zero: directory, arguments, environment */
  uint32_t arguments; /* how many words after the directory */
};

enum supervisor_news {
  news_started = 1,
  news_unstarted = 2, /* `status` is an errno */
  news_ended = 3,     /* `status` as waitpid has it; nothing that belonged to the build is left */
};

struct supervisor_report {
  uint32_t news;
  int32_t status;
  uint32_t left; /* how many processes were there still, and were ended, when the command had ended or was stopped */
  uint32_t immortal; /* whether one is there even so: the kernel does not let go of it */
  int64_t time;      /* CLOCK_MONOTONIC, nanoseconds */
};

#endif
