/* SPDX-License-Identifier: MIT */
/* host: a program in C whose library is replaced while it runs. */
#include <stdio.h>
#include <unistd.h>

#include "live_greeter.h"

int main(int count, char** words) {
  if (count != 2) {
    fprintf(stderr, "usage: %s LIBGREETER.SO\n", words[0]);
    return 2;
  }
  struct live_greeter* const greeter = live_greeter_open(words[1]);
  if (greeter == NULL) return 1;
  char text[64];
  for (int guests = 1; !ferror(stdout); ++guests) {
    puts(live_greeter_greet(greeter, guests, text, sizeof text) == 0 ? text : "(not built yet)");
    fflush(stdout);
    usleep(100000);
  }
  live_greeter_close(greeter);
}
