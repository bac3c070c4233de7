#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""host: a script whose C library is replaced while it runs, by ctypes over the C interface in live_greeter.h.

usage: host.py LIBLIVE_GREETER.SO LIBGREETER.SO
"""

import ctypes
import sys
import time

if len(sys.argv) != 3:
    sys.exit(__doc__)
live = ctypes.CDLL(sys.argv[1])
live.live_greeter_open.argtypes = [ctypes.c_char_p]
live.live_greeter_open.restype = ctypes.c_void_p
live.live_greeter_greet.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_ulong]

greeter = live.live_greeter_open(sys.argv[2].encode())
if not greeter:
    sys.exit(1)
text = ctypes.create_string_buffer(64)
guests = 0
while True:
    guests += 1
    built = live.live_greeter_greet(greeter, guests, text, len(text)) == 0
    print(text.value.decode() if built else "(not built yet)", flush=True)
    time.sleep(0.1)
