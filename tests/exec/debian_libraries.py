# SPDX-License-Identifier: MIT
"""debian_libraries: libraries that programs.py replaces, and how each is built from its Debian source."""
import hashlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

APT = Path(__file__).resolve().parents[1] / 'debian_apt'
POOL = 8  # different builds of each library, taken in turn

NOTE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
void note_this_build(void) {
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
        made = cache / 'builds' / (self.soname + '-' + hashlib.md5((self.hot + self.pattern + NOTE).encode()).hexdigest()[:6])
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
        changed.write_text('__attribute__((visibility("hidden"))) void note_this_build(void);\n' + text[:found.end()] + ' note_this_build(); '
                           + text[found.end():], errors='surrogateescape')
        others = self.objects(source, made)  # first: what configures the source
        run(f'gcc -O2 -g -fPIC {self.flags} -w -c -o {made}/hot.o {changed.name}', changed.parent)
        (made / 'note.c').write_text(NOTE)
        for i, file in enumerate(files):
            run(f'gcc -O2 -g -fPIC -fvisibility=hidden -DTHIS_BUILD={i} -c -o note{i}.o note.c', made)
            run(f'gcc -shared -g -o {file} {made}/hot.o {made}/note{i}.o {others} -Wl,-soname,{self.soname} {self.link}', source)
        return files

    def objects(self, source, made):
        if self.sources:
            files = sorted({f for s in self.sources for f in source.glob(s)} - {source / self.hot, *source.rglob('noted_*')})
            run(f'mkdir -p {made}/objects && cd {made}/objects && gcc -O2 -g -fPIC {self.flags} -w -c ' + ' '.join(map(str, files)), source)
            return f'{made}/objects/*.o'
        run(self.configure, source)
        copy = made / 'others.a'
        shutil.copy(source / self.archive, copy)
        member = next(m for m in run(f'ar t {copy}', source).split()
                      if re.fullmatch(r'(lib\w+_la-)?' + Path(self.hot).stem + r'(\.c)?\.l?o', m))
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


def fetch_package(package, cache):
    """@return where it is unpacked, and not installed"""
    place = cache / 'programs' / package
    if not place.exists():
        apt(cache, f'download {package}')
        place.mkdir(parents=True)
        run(f'dpkg -x {next(cache.glob(package + "_*.deb"))} {place}', cache)
    return place


ZLIB = {'package': 'zlib', 'soname': 'libz.so.1', 'sources': ['*.c'], 'link': '-Wl,--version-script=zlib.map',
        'flags': '-DHAVE_HIDDEN -D_LARGEFILE64_SOURCE=1 -DHAVE_UNISTD_H -DHAVE_STDARG_H'}
BZIP2 = {'package': 'bzip2', 'soname': 'libbz2.so.1.0', 'hot': 'bzlib.c', 'flags': '-D_FILE_OFFSET_BITS=64',
         'sources': [f'{name}.c' for name in ('blocksort', 'huffman', 'crctable', 'randtable', 'compress', 'decompress', 'bzlib')]}
STATIC = '--with-pic --enable-static --disable-shared'

LIBRARIES = {
    'libz': Library(**ZLIB, hot='deflate.c', pattern=r'int ZEXPORT deflate\(strm, flush\)[^{]*\{\s*int old_flush;[^\n]*\n\s*deflate_state \*s;'),
    'libz, inflate': Library(**ZLIB, hot='inflate.c', pattern=r'int ZEXPORT inflate\(strm, flush\)[^{]*\{'),
    'libbz2': Library(**BZIP2, pattern=r'int BZ_API\(BZ2_bzCompress\) \([^{]*\{'),
    'libbz2, decompress': Library(**BZIP2, pattern=r'int BZ_API\(BZ2_bzDecompress\) \([^{]*\{'),
    'liblz4': Library('lz4', 'liblz4.so.1', 'lib/lz4frame.c', r'size_t LZ4F_compressUpdate\(LZ4F_cctx\* cctxPtr,[^{]*\{', ['lib/*.c'],
                      '-DXXH_NAMESPACE=LZ4_'),
    'libzstd': Library('libzstd', 'libzstd.so.1', 'lib/compress/zstd_compress.c', r'\nsize_t ZSTD_compressCCtx\([^{]*\{',
                       [f'lib/{name}/*.c' for name in ('common', 'compress', 'decompress', 'dictBuilder')],
                       '-DZSTD_MULTITHREAD -DZSTD_DISABLE_ASM -DXXH_NAMESPACE=ZSTD_ -pthread', link='-pthread'),
    'libonig': Library('libonig', 'libonig.so.5', 'src/regexec.c', r'\nonig_search\(regex_t\*[^{]*\{', flags='-DHAVE_CONFIG_H -I.',
                       configure=f'autoreconf -i && ./configure {STATIC} && make -C src -j2 libonig.la', archive='src/.libs/libonig.a'),
    'liblzma': Library('xz-utils', 'liblzma.so.5', 'src/liblzma/common/common.c', r'\nlzma_code\(lzma_stream[^{]*\{',
                       flags='-DHAVE_CONFIG_H -DTUKLIB_SYMBOL_PREFIX=lzma_ -I../../.. ' + ' '.join(
                           f'-I../{d}' for d in ('api', 'common', 'check', 'lz', 'rangecoder', 'lzma', 'delta', 'simple')) + ' -I../../common -pthread',
                       configure=f'./configure {STATIC} --disable-xz --disable-xzdec --disable-lzmadec --disable-scripts --disable-doc && '
                                 'make -C src/liblzma -j2', archive='src/liblzma/.libs/liblzma.a',
                       link='-Wl,--version-script=src/liblzma/liblzma_linux.map -pthread'),
    'libpcre2': Library('pcre2', 'libpcre2-8.so.0', 'src/pcre2_match.c', r'\npcre2_match\(const pcre2_code[^{]*\{',
                        flags='-DHAVE_CONFIG_H -DPCRE2_CODE_UNIT_WIDTH=8 -I.', archive='.libs/libpcre2-8.a',
                        configure=f'./configure {STATIC} --enable-jit && make -j2 libpcre2-8.la'),
    'libFLAC': Library('flac', 'libFLAC.so.12', 'src/libFLAC/stream_encoder.c', r'\nFLAC_API FLAC__bool FLAC__stream_encoder_process\([^{]*\{',
                       flags='-DHAVE_CONFIG_H -I../.. -Iinclude -I../../include', archive='src/libFLAC/.libs/libFLAC.a', link='-lm',
                       configure=f'./configure {STATIC} --disable-ogg --disable-programs --disable-examples --disable-cpplibs && '
                                 'make -C src/libFLAC -j2'),
    'libpng': Library('libpng1.6', 'libpng16.so.16', 'pngwrite.c', r'\npng_write_row\([^{]*\{', flags='-I.', archive='.libs/libpng16.a',
                      configure=f'./configure {STATIC} && make -j2 libpng16.la libpng.vers',
                      link='-Wl,--version-script=libpng.vers -lz -lm'),
    'libjpeg': Library('libjpeg-turbo', 'libjpeg.so.62', 'jcapistd.c', r'\njpeg_write_scanlines\([^{]*\{', flags='-I.', archive='libjpeg.a',
                       configure='cmake -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DWITH_SIMD=OFF . && make -j2 jpeg-static',
                       link='-Wl,--version-script=libjpeg.map'),
    'libxml2': Library('libxml2', 'libxml2.so.2', 'parser.c', r'\nxmlParseChunk\(xmlParserCtxtPtr[^{]*\{', archive='.libs/libxml2.a',
                       flags='-DHAVE_CONFIG_H -DPIC -I. -Iinclude', link='-Wl,--version-script=libxml2.syms -lm',
                       configure=f'autoreconf -fi && ./configure {STATIC} --without-python --without-lzma --without-icu --without-zlib && '
                                 'make -j2 libxml2.la'),
    'libmagic': Library('file', 'libmagic.so.1', 'src/magic.c', r'\nmagic_file\(struct magic_set[^{]*\{', archive='src/.libs/libmagic.a',
                        flags='-DHAVE_CONFIG_H -I.. -I. -DMAGIC=\'"/etc/magic:/usr/share/misc/magic"\'',
                        configure=f'./configure {STATIC} --disable-zlib --disable-bzlib --disable-xzlib --disable-zstdlib --disable-libseccomp '
                                  '--datadir=/usr/share/misc && make -C src -j2 magic.h libmagic.la'),
}
