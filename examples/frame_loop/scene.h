/* SPDX-License-Identifier: MIT */
/* scene: what a frame shows. The world belongs to the host, so it survives every reload. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct world {
  double position; /* of the ball, 0 to 1 */
  double speed;    /* per second */
  unsigned frames; /* drawn so far */
};

void scene_update(struct world* world, double seconds);
/* Writes a line of text and a zero, at most `size` bytes. */
void scene_draw(const struct world* world, char* line, size_t size);

#ifdef __cplusplus
}
#endif
