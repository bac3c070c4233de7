/* SPDX-License-Identifier: MIT */
/* scene: the library under development. Make the ball another character, or faster, while the loop runs. */
#include "scene.h"

#include <stdio.h>

void scene_update(struct world* world, double seconds) {
  if (world->speed == 0) world->speed = 0.5;
  world->position += world->speed * seconds;
  if (world->position < 0 || world->position > 1) {
    world->speed = -world->speed;
    world->position = world->position < 0 ? 0 : 1;
  }
  world->frames += 1;
}

void scene_draw(const struct world* world, char* line, size_t size) {
  const int before = (int)(world->position * 30);
  snprintf(line, size, "%6u |%*s%c%*s|", world->frames, before, "", 'o', 30 - before, "");
}
