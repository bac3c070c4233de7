/* SPDX-License-Identifier: MIT */
/* garden: hares that hop and snails that crawl. Edit it while it runs: README.md says how. */
#include "garden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 40

struct animal {
  int place;
  int steps;
  void (*move)(struct animal*);
  const char* name;
  struct animal* next;
};

static struct animal* animals;
static int day;
static int hop_width = 3;

static void hop(struct animal* a) { a->place = (a->place + hop_width) % WIDTH; }
static void crawl(struct animal* a) { a->place = (a->place + 1) % WIDTH; }

static void add(int place, void (*move)(struct animal*), const char* name) {
  struct animal* const born = calloc(1, sizeof *born);
  if (born == NULL) return;
  born->place = place;
  born->move = move;
  born->name = name;
  born->next = animals;
  animals = born;
}

void garden_step(void) {
  if (animals == NULL) {
    add(0, hop, "hare");
    add(5, hop, "hare");
    add(20, crawl, "snail");
  }
  ++day;
  if (day % 1000 == 0) ++hop_width; /* they grow stronger */
  for (struct animal* a = animals; a != NULL; a = a->next) {
    a->move(a);
    ++a->steps;
  }
}

void garden_draw(char* into, size_t size) {
  char picture[WIDTH + 1];
  memset(picture, '.', WIDTH);
  picture[WIDTH] = '\0';
  int steps = 0;
  for (const struct animal* a = animals; a != NULL; a = a->next) {
    picture[a->place] = a->name[0];
    steps += a->steps;
  }
  snprintf(into, size, "day %d %s steps %d", day, picture, steps);
}
