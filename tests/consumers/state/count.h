/* SPDX-License-Identifier: MIT */
#ifndef COUNT_H
#define COUNT_H

#ifdef __cplusplus
extern "C" {
#endif

int count_up(void);

#ifdef __cplusplus
}
#endif

#endif
