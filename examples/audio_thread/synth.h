/* SPDX-License-Identifier: MIT */
/* synth: makes sound, block by block, on a thread that must never wait. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

enum { synth_block = 256 };

/* The host's, so that the wave goes on without a crack when the library is replaced. */
struct synth_state {
  double phase; /* 0 to 1 */
};

/* Fills one block at 48,000 samples a second. May neither wait nor allocate. */
void synth_render(struct synth_state* state, float out[synth_block]);

#ifdef __cplusplus
}
#endif
