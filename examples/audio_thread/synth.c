/* SPDX-License-Identifier: MIT */
/* synth: the library under development. */
#include "synth.h"

static const double frequency = 440;
static const float volume = 0.25F;

void synth_render(struct synth_state* state, float out[synth_block]) {
  for (int i = 0; i < synth_block; ++i) {
    out[i] = state->phase < 0.5 ? volume : -volume;
    state->phase += frequency / 48000;
    if (state->phase >= 1) state->phase -= 1;
  }
}
