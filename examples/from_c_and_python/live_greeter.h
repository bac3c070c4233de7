/* SPDX-License-Identifier: MIT */
/* live_greeter: what C and Python call instead of greeter: each call runs in the newest version. */
#ifndef LIVE_GREETER_H
#define LIVE_GREETER_H

#ifdef __cplusplus
extern "C" {
#endif

/* Watches the library at `path`, which need not exist yet. Null if that can't be done; standard error says why. */
struct live_greeter* live_greeter_open(const char* path);
/* 0, or -1 while no version is loaded. Any thread. */
int live_greeter_greet(const struct live_greeter* library, int guests, char* out, unsigned long size);
/* No thread may be inside a call, or call later. */
void live_greeter_close(struct live_greeter* library);

#ifdef __cplusplus
}
#endif

#endif
