#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cost: what `autoreload exec` costs a program: each call, its start, and the time from a build to the first call of it.

Each measurement is made beside the plain program's, in turn, and the median is taken.

usage: cost.py --autoreload PROGRAM [--rounds 15] [--table docs/exec.md]
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIBRARY = 'int foo(int x) { return x + VALUE; }\n'
CALLS = """
#include <stdio.h>
#include <time.h>
int foo(int);
int main(void) {
  struct timespec a, b;
  int x = 0;
  for (int i = 0; i < 1000000; ++i) x = foo(x);
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (int i = 0; i < 50000000; ++i) x = foo(x);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%f %d\\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / 5e7, x);
}
"""
# Spins until the library answers otherwise, and says when.
WAITING = """
#include <stdio.h>
#include <time.h>
int foo(int);
int main(void) {
  struct timespec now;
  int first = foo(0);
  puts("ready");
  fflush(stdout);
  while (foo(0) == first) {}
  clock_gettime(CLOCK_REALTIME, &now);
  printf("%ld%09ld\\n", (long)now.tv_sec, now.tv_nsec);
}
"""


def compile_all(here):
    def run(words):
        subprocess.run(words, cwd=here, check=True)
    for value in (1, 2):
        run(['gcc', '-O2', '-g', '-shared', '-fPIC', f'-DVALUE={value}', '-o', f'{value}.so', 'foo.c', '-Wl,-soname,libfoo.so'])
    shutil.copy(here / '1.so', here / 'libfoo.so')
    for name in ('calls', 'waiting', 'empty'):
        run(['gcc', '-O2', '-o', name, f'{name}.c', '-Wl,--no-as-needed', '-L.', '-lfoo', f'-Wl,-rpath,{here}'])
    # As much debug information as large programs have.
    with open(here / 'much', 'wb') as file:
        file.truncate(64 << 20)
    run(['objcopy', '--add-section', '.debug_much=much', 'empty', 'large'])


def output(words, here):
    return subprocess.run(words, cwd=here, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def call_time(words, here):
    return float(output(words, here).split()[0])


def start_time(words, here):
    began = time.perf_counter()
    for _ in range(10):
        output(words, here)
    return (time.perf_counter() - began) * 100  # ms for one


def reload_time(command, here):
    shutil.copy(here / '1.so', here / 'libfoo.so')
    with subprocess.Popen(command + ['./waiting'], cwd=here, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        process.stdout.readline()
        time.sleep(0.2)  # the engine's first look is over
        shutil.copy(here / '2.so', here / 'fresh.so')
        began = time.time_ns()
        os.replace(here / 'fresh.so', here / 'libfoo.so')
        ended = int(process.stdout.readline())
    return (ended - began) / 1e6


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--autoreload', required=True)
    options.add_argument('--rounds', type=int, default=15)
    options.add_argument('--table', type=Path)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        for name, text in (('foo', LIBRARY), ('calls', CALLS), ('waiting', WAITING), ('empty', 'int main(void) { return 0; }\n')):
            (here / f'{name}.c').write_text(text)
        compile_all(here)
        command = [os.path.abspath(chosen.autoreload), 'exec', '--']
        plain, under = [], []
        for _ in range(chosen.rounds):
            for to, how in ((plain, []), (under, command)):
                to.append((call_time(how + ['./calls'], here), start_time(how + ['./empty'], here), start_time(how + ['./large'], here)))
        calls, starts, large = ([statistics.median(x[i] for x in each) for each in (plain, under)] for i in range(3))
        reload = statistics.median(reload_time(command, here) for _ in range(chosen.rounds))
    table = ('| what | plain | under `autoreload exec` | |\n| --- | --- | --- | --- |\n'
             f'| a call (`call/exec`) | {calls[0]:.2f} ns | {calls[1]:.2f} ns | {calls[1] / calls[0]:.2f} times |\n'
             f'| start to end of a program that does nothing | {starts[0]:.1f} ms | {starts[1]:.1f} ms | {starts[1] - starts[0]:.1f} ms more |\n'
             f'| the same, with 64 MB of debug information | {large[0]:.1f} ms | {large[1]:.1f} ms | {large[1] - large[0]:.1f} ms more |\n'
             f'| from the complete file to the first call of it | | {reload:.2f} ms | |\n')
    print(table)
    if chosen.table:
        text = chosen.table.read_text()
        head, rest = text.split('<!-- cost -->\n')
        chosen.table.write_text(head + '<!-- cost -->\n' + table + '<!-- /cost -->\n' + rest.split('<!-- /cost -->\n')[1])
    return 0


if __name__ == '__main__':
    sys.exit(main())
