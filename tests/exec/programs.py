#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""programs: programs of Debian's, as they are, while the library that they work with is replaced again and again.

The library is built from its Debian source (apt-get source), with one statement more in a function that the work goes through: the first call
in each loaded build notes the build's number in a file. The program works until all swaps are done, and ten seconds more, in which old builds
leave. Its output must be, byte for byte, what it is without `autoreload exec`.

usage: programs.py --autoreload PROGRAM [--cache DIRECTORY] [--swaps 200] [--only NAME,...] [--table docs/exec.md]
"""
import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from debian_libraries import LIBRARIES, POOL, fetch_package
from debian_programs import WORKS

LINGER = 10  # seconds of work after the last swap, while old builds leave


class Feeding(threading.Thread):
    """Takes step after step until it is told to stop."""

    def __init__(self, session):
        super().__init__(daemon=True)
        self.session, self.stopped = session, False
        self.start()

    def run(self):
        while not self.stopped:
            self.session.step()
            time.sleep(0.002)

    def stop(self):
        self.stopped = True
        self.join(60)


def replace(library, build):
    fresh = library.with_name('fresh.so')
    shutil.copy(build, fresh)
    os.replace(fresh, library)


def count_loaded(log):
    return log.read_text(errors='replace').count('autoreload: loaded: ') if log.exists() else 0


def still_loaded(log):
    """@return how many newer builds than the first are loaded"""
    said = log.read_text(errors='replace') if log.exists() else ''
    return said.count('autoreload: loaded: ') - said.count('autoreload: unloaded: ')


def swap(process, library, builds, log, swaps):
    """@return the number of swaps that were taken"""
    for i in range(swaps):
        replace(library, builds[1 + i % (POOL - 1)])  # not the one that it started with
        until = time.monotonic() + 30
        while count_loaded(log) <= i:
            if process.poll() is not None or time.monotonic() > until:
                return i
            time.sleep(0.002)
        time.sleep(0.01)  # some work in this build
    return swaps


def find_program(work, cache):
    """@return the program of the system's, or of its package, and where the libraries are that come with it"""
    if not work.packages:
        return shutil.which(work.program), []
    places = [fetch_package(one, cache) for one in work.packages]
    return str(next(places[0].rglob(f'*bin/{work.program}'))), [str(one.parent) for place in places[1:] for one in place.rglob('*.so.*')]


def try_program(work, autoreload, cache, swaps):
    made = LIBRARIES[work.library]
    builds = made.build(cache)
    program, more = find_program(work, cache)
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        directory, log, ran = here / 'libraries', here / 'log', here / 'ran'
        directory.mkdir()
        (here / 'work').mkdir()
        library = directory / made.soname
        replace(library, builds[0])
        words = [program] + work.begin(here / 'work', library)
        environment = {'LD_LIBRARY_PATH': ':'.join([str(directory)] + more), 'TERM': 'xterm'}
        chosen = ['--lib', made.soname] if more else []
        with open(here / 'errors', 'wb') as errors:
            under = work.session(work, [autoreload, 'exec', '--log', str(log)] + chosen + ['--'] + words, here / 'work',
                                 {**environment, 'BUILDS_THAT_RAN': str(ran)}, errors)
            feeding = Feeding(under)
            while under.process.poll() is None and feeding.is_alive() and not (' reload' in (here / 'errors').read_text(errors='replace') and under.steps > 1):
                time.sleep(0.01)
            taken = swap(under.process, library, builds, log, swaps)
            time.sleep(LINGER)
            feeding.stop()
            status = under.finish()
            output = under.output()
            replace(library, builds[0])
            plain = work.session(work, words, here / 'work', environment, errors)
            for _ in range(under.steps):
                plain.step()
            plain.finish()
        notes = ran.read_text().split() if ran.exists() else []
        return {'loaded': still_loaded(log), 'name': work.name, 'what': work.what, 'library': f'{made.soname} ({made.package})', 'swaps': taken, 'ran': len(notes),
                'bytes': under.bytes, 'status': status, 'same': output == plain.output(),
                'errors': (here / 'errors').read_text(errors='replace')[-600:], 'log': log.read_text(errors='replace')[-600:] if log.exists() else ''}


def amount(count):
    return f'{count / 1e6:.0f} MB' if count >= 1e6 else f'{count / 1e3:.0f} kB'


def in_words(result):
    good = result['same'] and result['status'] == 0
    return (f"| {result['name']} | {result['what']} | {result['library']} | {result['swaps']} | {result['ran']} | "
            f"{result['loaded']} | "
            f"{amount(result['bytes'])} | {'the same' if result['same'] else 'DIFFERENT'} | {'0' if good else result['status']} |")


COLUMNS = ['program', 'what it does meanwhile', 'library, rebuilt from', 'swaps', 'builds whose code ran', 'loaded at the end', 'input',
           'output, compared with a plain run', 'exit status']
TABLE_HEAD = '| ' + ' | '.join(COLUMNS) + ' |\n' + '| --- ' * len(COLUMNS) + '|\n'
START, END = '<!-- programs -->\n', '<!-- /programs -->\n'


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--autoreload', required=True)
    options.add_argument('--cache', type=Path, default=Path(tempfile.gettempdir()) / 'autoreload-programs')
    options.add_argument('--swaps', type=int, default=200)
    options.add_argument('--only', default='')
    options.add_argument('--table', type=Path)
    chosen = options.parse_args()
    cache = chosen.cache.absolute()
    cache.mkdir(parents=True, exist_ok=True)
    rows, bad = [], False
    for work in WORKS:
        if chosen.only and work.name not in chosen.only.split(','):
            continue
        result = try_program(work, os.path.abspath(chosen.autoreload), cache, chosen.swaps)
        rows.append(in_words(result))
        print(rows[-1], flush=True)
        if not result['same'] or result['status'] != 0 or result['swaps'] < chosen.swaps or result['ran'] == 0:
            bad = True
            print(result['errors'], result['log'], sep='\n', file=sys.stderr, flush=True)
    if chosen.table:
        text = chosen.table.read_text()
        head, rest = text.split(START)
        chosen.table.write_text(head + START + TABLE_HEAD + '\n'.join(rows) + '\n' + END + rest.split(END)[1])
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
