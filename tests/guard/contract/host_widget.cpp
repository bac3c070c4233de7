// SPDX-License-Identifier: MIT
// host_widget: the one source of the host that looks into a widget.
#include "widget.h"

int host_reads(const widget& w);
int host_reads(const widget& w) { return w.width; }
