/* SPDX-License-Identifier: MIT */
/* peer: what lib.rs offers to C. */
#ifndef BENCH_LIBLOADING_PEER_H
#define BENCH_LIBLOADING_PEER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Library::new, get, a call, drop. The call's result, or -1. */
int32_t libloading_load(const char* path, int32_t x);

/* A library and a Symbol of it, both kept; null when it can't be opened. */
struct libloading_held;
struct libloading_held* libloading_open(const char* path);
void libloading_close(struct libloading_held* held);

/* The measured loops, in Rust, so that no call crosses a language for nothing: x = step(x), `calls` times. */
int32_t libloading_run(const struct libloading_held* held, int32_t calls, int32_t x);
int32_t libloading_run_looked_up(const struct libloading_held* held, int32_t calls, int32_t x);

#ifdef __cplusplus
}
#endif

#endif
