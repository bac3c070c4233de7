/* SPDX-License-Identifier: MIT */
#ifndef GREET_H
#define GREET_H

#ifdef __cplusplus
extern "C" {
#endif

extern int greetings;
const char* greet(void);

#ifdef __cplusplus
}
#endif

#endif
