/* SPDX-License-Identifier: MIT */
/* widget: the definition that contract.h leaves out. */
#ifndef WIDGET_H
#define WIDGET_H

#include "contract.h"

struct widget {
  int width;
#ifdef WIDGET_GROWS
  int height;
#endif
};

#endif
