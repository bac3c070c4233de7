/* SPDX-License-Identifier: MIT */
/* widget: another source of the library; here its debug information has the definition of struct widget. */
#include "widget.h"

int width_of(const struct widget* w);
int width_of(const struct widget* w) { return w->width; }
