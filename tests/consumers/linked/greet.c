/* SPDX-License-Identifier: MIT */
/* greet: how often it greeted goes on from build to build. */
#include "greet.h"

int greetings;

const char* greet(void) {
  ++greetings;
  return "Good day";
}
