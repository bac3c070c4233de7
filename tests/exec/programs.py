#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""programs: programs of Debian's, as they are, while the library that they work with is replaced again and again.

The library is built from its Debian source (apt-get source), with one statement more in a function that the work goes through: the first call
in each loaded build notes the build's number in a file. The program works on a stream that goes on until all swaps are done. Its
output must be, byte for byte, what it is without `autoreload exec`.

usage: programs.py --autoreload PROGRAM [--cache DIRECTORY] [--swaps 200] [--only NAME,...] [--table docs/exec.md]
"""
import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

APT = Path(__file__).resolve().parents[1] / 'debian_apt'
POOL = 8  # different builds of each library, taken in turn

NOTE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void note_this_build(void) {
  static int done;
  if (done) return;
  done = 1;
  const char* const file = getenv("BUILDS_THAT_RAN");
  const int to = file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
  if (to < 0) return;
  dprintf(to, "%d\n", THIS_BUILD);
  close(to);
}
"""


class Library:
    """How a library is built from its source: `hot` is the file, and the pattern behind whose match the note is taken."""

    def __init__(self, package, soname, hot, pattern, sources=None, flags='', configure=None, archive=None, link=''):
        self.package, self.soname, self.hot, self.pattern = package, soname, hot, pattern
        self.sources, self.flags, self.configure, self.archive, self.link = sources, flags, configure, archive, link

    def build(self, cache):
        """@return the files of POOL builds"""
        made = cache / 'builds' / (self.soname + '-' + hashlib.md5((self.hot + self.pattern).encode()).hexdigest()[:6])
        files = [made / f'{i}.so' for i in range(POOL)]
        if all(f.exists() for f in files):
            return files
        made.mkdir(parents=True, exist_ok=True)
        source = fetch_source(self.package, cache)
        hot = source / self.hot
        text = hot.read_text(errors='surrogateescape')
        found = re.search(self.pattern, text)
        if not found:
            raise SystemExit(f'{hot}: nothing matches {self.pattern}')
        changed = hot.with_name('noted_' + hot.name)
        # After the file's own settings of what the system's headers show.
        first = text.index('#include')
        changed.write_text(text[:first] + '#define _GNU_SOURCE\n' * ('_GNU_SOURCE' not in text) + NOTE + text[first:found.end()]
                           + ' note_this_build(); ' + text[found.end():], errors='surrogateescape')
        others = self.objects(source, made)
        for i, file in enumerate(files):
            run(f'gcc -O2 -g -fPIC {self.flags} -w -DTHIS_BUILD={i} -c -o {made}/hot{i}.o {changed.name}', changed.parent)
            run(f'gcc -shared -g -o {file} {made}/hot{i}.o {others} -Wl,-soname,{self.soname} {self.link}', source)
        return files

    def objects(self, source, made):
        if self.sources:
            run(f'mkdir -p {made}/objects && cd {made}/objects && gcc -O2 -g -fPIC {self.flags} -w -c '
                + ' '.join(str(source / s) for s in self.sources if s != self.hot), source)
            return f'{made}/objects/*.o'
        run(self.configure, source)
        copy = made / 'others.a'
        shutil.copy(source / self.archive, copy)
        member = next(m for m in run(f'ar t {copy}', source).split()
                      if re.fullmatch(r'(lib\w+_la-)?' + Path(self.hot).stem + r'\.l?o', m))
        run(f'ar d {copy} {member}', source)
        return f'-Wl,--whole-archive {copy} -Wl,--no-whole-archive'


def run(command, directory):
    done = subprocess.run(command, shell=True, cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f'{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}')
    return done.stdout


def apt(cache, words):
    return run(f'{shlex.quote(str(APT))} apt {words}', cache)


def fetch_source(package, cache):
    place = cache / package
    if not place.exists():
        place.mkdir(parents=True)
        (cache / 'fetch').mkdir(exist_ok=True)
        apt(cache, f'-y source --download-only {package}')
        described = next(cache.glob(f'{package}_*.dsc'))
        run(f'dpkg-source -x {described.name} {place}/source', cache)
    return place / 'source'


def fetch_program(package, name, cache):
    """The program of the system's, or of its package, unpacked and not installed."""
    if shutil.which(name) and package is None:
        return shutil.which(name)
    place = cache / 'programs' / package
    if not place.exists():
        apt(cache, f'download {package}')
        place.mkdir(parents=True)
        run(f'dpkg -x {next(cache.glob(package + "_*.deb"))} {place}', cache)
    return str(next(place.rglob(f'bin/{name}')))


LIBRARIES = {
    'libz': Library('zlib', 'libz.so.1', 'deflate.c', r'int ZEXPORT deflate\(strm, flush\)[^{]*\{\s*int old_flush;[^\n]*\n\s*deflate_state \*s;',
                    ['adler32.c', 'compress.c', 'crc32.c', 'deflate.c', 'gzclose.c', 'gzlib.c', 'gzread.c', 'gzwrite.c', 'infback.c', 'inffast.c',
                     'inflate.c', 'inftrees.c', 'trees.c', 'uncompr.c', 'zutil.c'],
                    '-DHAVE_HIDDEN -D_LARGEFILE64_SOURCE=1 -DHAVE_UNISTD_H -DHAVE_STDARG_H', link='-Wl,--version-script=zlib.map'),
    'libz, inflate': Library('zlib', 'libz.so.1', 'inflate.c', r'int ZEXPORT inflate\(strm, flush\)[^{]*\{',
                             ['adler32.c', 'compress.c', 'crc32.c', 'deflate.c', 'gzclose.c', 'gzlib.c', 'gzread.c', 'gzwrite.c', 'infback.c',
                              'inffast.c', 'inflate.c', 'inftrees.c', 'trees.c', 'uncompr.c', 'zutil.c'],
                             '-DHAVE_HIDDEN -D_LARGEFILE64_SOURCE=1 -DHAVE_UNISTD_H -DHAVE_STDARG_H', link='-Wl,--version-script=zlib.map'),
    'libbz2': Library('bzip2', 'libbz2.so.1.0', 'bzlib.c', r'int BZ_API\(BZ2_bzCompress\) \([^{]*\{',
                      ['blocksort.c', 'huffman.c', 'crctable.c', 'randtable.c', 'compress.c', 'decompress.c', 'bzlib.c'], '-D_FILE_OFFSET_BITS=64'),
    'libbz2, decompress': Library('bzip2', 'libbz2.so.1.0', 'bzlib.c', r'int BZ_API\(BZ2_bzDecompress\) \([^{]*\{',
                                  ['blocksort.c', 'huffman.c', 'crctable.c', 'randtable.c', 'compress.c', 'decompress.c', 'bzlib.c'],
                                  '-D_FILE_OFFSET_BITS=64'),
    'liblz4': Library('lz4', 'liblz4.so.1', 'lib/lz4frame.c', r'size_t LZ4F_compressUpdate\(LZ4F_cctx\* cctxPtr,[^{]*\{',
                      ['lib/lz4.c', 'lib/lz4file.c', 'lib/lz4frame.c', 'lib/lz4hc.c', 'lib/xxhash.c'], '-DXXH_NAMESPACE=LZ4_'),
    'libonig': Library('libonig', 'libonig.so.5', 'src/regexec.c', r'\nonig_search\(regex_t\*[^{]*\{', flags='-DHAVE_CONFIG_H -I.',
                       configure='autoreconf -i && ./configure --with-pic --enable-static --disable-shared && make -C src -j2 libonig.la',
                       archive='src/.libs/libonig.a'),
    'liblzma': Library('xz-utils', 'liblzma.so.5', 'src/liblzma/common/common.c', r'\nlzma_code\(lzma_stream[^{]*\{',
                       flags='-DHAVE_CONFIG_H -DTUKLIB_SYMBOL_PREFIX=lzma_ -I../../.. ' + ' '.join(
                           f'-I../{d}' for d in ('api', 'common', 'check', 'lz', 'rangecoder', 'lzma', 'delta', 'simple')) + ' -I../../common -pthread',
                       configure='./configure --with-pic --enable-static --disable-shared --disable-xz --disable-xzdec --disable-lzmadec '
                                 '--disable-scripts --disable-doc && make -C src/liblzma -j2', archive='src/liblzma/.libs/liblzma.a',
                       link='-Wl,--version-script=src/liblzma/liblzma_linux.map -pthread'),
}


TEXT = b''.join(hashlib.sha256(bytes([i])).hexdigest().encode() * 3 + b' some words that come again and again\n' for i in range(256)) * 4
JSON = b''.join(json.dumps({'n': i, 'word': hashlib.md5(bytes([i])).hexdigest()}).encode() + b'\n' for i in range(200))
PYTHON = """
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1])
lib.LZ4_compressBound.restype = ctypes.c_int
lib.LZ4F_compressFrameBound.restype = lib.LZ4F_compressFrame.restype = ctypes.c_size_t
lib.LZ4F_compressFrameBound.argtypes = [ctypes.c_size_t, ctypes.c_void_p]
lib.LZ4F_compressFrame.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
for line in sys.stdin.buffer:
    bound = lib.LZ4F_compressFrameBound(len(line), None)
    out = ctypes.create_string_buffer(bound)
    size = lib.LZ4F_compressFrame(out, bound, line, len(line), None)
    sys.stdout.write(out.raw[:size].hex() + chr(10))
"""
MODULE = """
import sys, zlib
made = zlib.compressobj()
while True:
    part = sys.stdin.buffer.read(65536)
    if not part: break
    sys.stdout.buffer.write(made.compress(part))
sys.stdout.buffer.write(made.flush())
"""


class Work:
    """A program and what it is fed: a block again and again."""

    def __init__(self, name, package, program, library, words, what, block=lambda directory: TEXT):
        self.name, self.package, self.program, self.library = name, package, program, library
        self.words, self.what, self.block = words, what, block


def git_objects(directory):
    """A repository, and the names of its objects as the stream."""
    run('git init -q . && git config user.email a@b && git config user.name a && for i in $(seq 60); do seq $i 4000 > f$i; done && git add . && '
        'git commit -qm all', directory)
    names = run('git rev-list --objects --all', directory).split('\n')
    return ''.join(n.split()[0] + '\n' for n in names if n).encode()


WORKS = [
    Work('pigz', 'pigz', 'pigz', 'libz', ['-p', '4', '-c', '-n', '-m'], 'compresses on four threads'),
    Work('zstd -d', None, 'zstd', 'libz, inflate', ['-dc'], 'decompresses gzip',
         lambda directory: subprocess.run(['gzip', '-1', '-c'], input=TEXT, stdout=subprocess.PIPE, check=True).stdout),
    Work('xz', None, 'xz', 'liblzma', ['-1', '-T2', '-c'], 'compresses on two threads'),
    Work('xz -d', None, 'xz', 'liblzma', ['-dc'], 'decompresses',
         lambda directory: subprocess.run(['xz', '-1', '-c'], input=TEXT, stdout=subprocess.PIPE, check=True).stdout),
    Work('bzip2', None, 'bzip2', 'libbz2', ['-1', '-c'], 'compresses'),
    Work('bzip2 -d', None, 'bzip2', 'libbz2, decompress', ['-dc'], 'decompresses',
         lambda directory: subprocess.run(['bzip2', '-1', '-c'], input=TEXT[:40000], stdout=subprocess.PIPE, check=True).stdout),
    Work('zstd --format=lz4', None, 'zstd', 'liblz4', ['--format=lz4', '-c'], 'compresses'),
    Work('zstd --format=gzip', None, 'zstd', 'libz', ['--format=gzip', '-c'], 'compresses'),
    Work('jq', None, 'jq', 'libonig', ['-c', 'select(.word | test("[0-4]{3}[a-c]+"))'], 'filters by a regular expression', lambda directory: JSON),
    Work('git cat-file', None, 'git', 'libz, inflate', ['cat-file', '--batch'], 'reads objects', git_objects),
    Work('python3 zlib', None, '/usr/bin/python3', 'libz', ['-c', MODULE], 'compresses by its module zlib'),
    Work('python3 ctypes', None, '/usr/bin/python3', 'liblz4', ['-c', PYTHON, '{library}'], 'calls what it opens by ctypes'),
]


class Stream(threading.Thread):
    """Feeds a process with blocks until it is told to stop, or for a number of blocks."""

    def __init__(self, to, block, count=None):
        super().__init__(daemon=True)
        self.to, self.block, self.count, self.fed, self.stopped = to, block, count, 0, False
        self.start()

    def run(self):
        try:
            while not self.stopped and self.fed != self.count:
                self.to.write(self.block)
                self.fed += 1
                if self.count is None:
                    time.sleep(0.002)
            self.to.close()
        except BrokenPipeError:
            pass


def start(words, directory, environment, errors):
    process = subprocess.Popen(words, cwd=directory, env={**os.environ, **environment}, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=errors)
    digest = hashlib.sha256()
    sizes = [0]

    def read():
        while part := process.stdout.read(65536):
            digest.update(part)
            sizes[0] += len(part)
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return process, reader, digest, sizes


def replace(library, build):
    fresh = library.with_name('fresh.so')
    shutil.copy(build, fresh)
    os.replace(fresh, library)


def count_loaded(log):
    return log.read_text(errors='replace').count('autoreload: loaded: ') if log.exists() else 0


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


def try_program(work, autoreload, cache, swaps):
    made = LIBRARIES[work.library]
    builds = made.build(cache)
    program = fetch_program(work.package, work.program, cache)
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        directory = here / 'libraries'
        directory.mkdir()
        library, log, ran = directory / made.soname, here / 'log', here / 'ran'
        replace(library, builds[0])
        (here / 'work').mkdir()
        block = work.block(here / 'work')
        words = [program] + [w.replace('{library}', str(library)) for w in work.words]
        environment = {'LD_LIBRARY_PATH': str(directory)}
        with open(here / 'errors', 'wb') as errors:
            process, reader, digest, sizes = start([autoreload, 'exec', '--log', str(log), '--'] + words, here / 'work',
                                                   {**environment, 'BUILDS_THAT_RAN': str(ran)}, errors)
            stream = Stream(process.stdin, block)
            while process.poll() is None and not (' reload' in (here / 'errors').read_text(errors='replace') and stream.fed > 1):
                time.sleep(0.01)
            taken = swap(process, library, builds, log, swaps)
            stream.stopped = True
            stream.join(60)
            status = process.wait(120)
            reader.join(60)
            replace(library, builds[0])
            plain, plain_reader, expected, _ = start(words, here / 'work', environment, errors)
            Stream(plain.stdin, block, stream.fed).join()
            plain.wait()
            plain_reader.join()
        notes = ran.read_text().split() if ran.exists() else []
        return {'name': work.name, 'what': work.what, 'library': f'{made.soname} ({made.package})', 'swaps': taken, 'ran': len(notes),
                'megabytes': len(block) * stream.fed / 1e6, 'status': status, 'same': digest.digest() == expected.digest(),
                'errors': (here / 'errors').read_text(errors='replace')[-600:], 'log': log.read_text(errors='replace')[-600:] if log.exists() else ''}


def in_words(result):
    good = result['same'] and result['status'] == 0
    return (f"| {result['name']} | {result['what']} | {result['library']} | {result['swaps']} | {result['ran']} | "
            f"{result['megabytes']:.0f} MB | {'the same' if result['same'] else 'DIFFERENT'} | {'0' if good else result['status']} |")


TABLE_HEAD = ('| program | what it does meanwhile | library, rebuilt from | swaps | builds whose code ran | input | output, compared with a plain run '
              '| exit status |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n')
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
