# SPDX-License-Identifier: MIT
"""debian_programs: the table of programs for programs.py."""
import hashlib
import io
import json
import subprocess
import tarfile
import zlib

from debian_libraries import run
from debian_works import Fetching, Packing, Reading, Serving, Stream, Work

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

NGINX = """
daemon off; master_process off; pid nginx.pid; env BUILDS_THAT_RAN; events {}
http { access_log off; gzip on; gzip_types *; gzip_comp_level 6; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
  uwsgi_temp_path t4; scgi_temp_path t5; server { listen 127.0.0.1:PORT; root .; location ~ ^/[0-9]+[.]txt$ {} } }
"""
ROWS = b''.join(b'<row n="%d" a=\'x&amp;y\'><cell>%s</cell><!-- a row --></row>\n' % (i, hashlib.md5(bytes([i])).hexdigest().encode()) for i in range(100))
NOISE = b''.join(hashlib.sha512(i.to_bytes(4, 'little')).digest() for i in range(3000))


def fed(block, **more):
    return lambda work: Stream(block, **more)


def compressed(*words, text=TEXT):
    return lambda work: Stream(subprocess.run(words, input=text, stdout=subprocess.PIPE, check=True).stdout)


def git_objects(work):
    """A repository, and the names of its objects as the stream."""
    run('git init -q . && git config user.email a@b && git config user.name a && for i in $(seq 60); do seq $i 4000 > f$i; done && git add . && '
        'git commit -qm all', work.directory)
    names = run('git rev-list --objects --all', work.directory).split('\n')
    return Stream(''.join(n.split()[0] + '\n' for n in names if n).encode())


def gzip_answer(work):
    """One gzip stream, whose blocks don't depend on each other."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    block = packer.compress(TEXT) + packer.flush(zlib.Z_FULL_FLUSH)

    def tail(count):
        check = 0
        for _ in range(count):
            check = zlib.crc32(TEXT, check)
        return b'\3\0' + check.to_bytes(4, 'little') + (len(TEXT) * count % 2 ** 32).to_bytes(4, 'little')
    return Stream(block, b'\x1f\x8b\x08\0\0\0\0\0\0\3', tail)


def site(work):
    (work.directory / 'nginx.conf').write_text(NGINX.replace('PORT', str(work.port)))
    for i in range(4):
        (work.directory / f'{i}.txt').write_bytes(TEXT[i * 1000:])
    return None


def many_files(work):
    """An archive, whose files are all different."""
    def block(i):
        entry = tarfile.TarInfo(f'file-{i}')
        text = b'%d' % i * 1000 + TEXT
        entry.size = len(text)
        return entry.tobuf() + text + bytes(-len(text) % 512)
    return Stream(block, tail=lambda count: bytes(1024))


def kinds_of_files(work):
    for name, data in (('text', TEXT[:5000]), ('json', JSON[:300]), ('noise', NOISE[:9000]), ('gzip', zlib.compress(TEXT, wbits=31)), ('empty', b'')):
        (work.directory / name).write_bytes(data)
    with tarfile.open(work.directory / 'archive', 'w') as archive:
        archive.addfile(tarfile.TarInfo('some'), io.BytesIO())
    return Stream(b'text\njson\nnoise\ngzip\nempty\narchive\n/bin/ls\nmissing\n.\n' * 20)


WORKS = [
    Work('pigz', ['pigz'], 'pigz', 'libz', ['-p', '4', '-c', '-n', '-m'], 'compresses on four threads', fed(TEXT)),
    Work('xz', None, 'xz', 'liblzma', ['-1', '-T2', '-c'], 'compresses on two threads', fed(TEXT)),
    Work('xz -d', None, 'xz', 'liblzma', ['-dc'], 'decompresses', compressed('xz', '-1', '-c')),
    Work('bzip2', None, 'bzip2', 'libbz2', ['-1', '-c'], 'compresses', fed(TEXT)),
    Work('bzip2 -d', None, 'bzip2', 'libbz2, decompress', ['-dc'], 'decompresses', compressed('bzip2', '-1', '-c', text=TEXT[:40000])),
    Work('zstd --format=lz4', None, 'zstd', 'liblz4', ['--format=lz4', '-c'], 'compresses', fed(TEXT)),
    Work('zstd --format=gzip', None, 'zstd', 'libz', ['--format=gzip', '-c'], 'compresses', fed(TEXT)),
    Work('zstd -d', None, 'zstd', 'libz, inflate', ['-dc'], 'decompresses gzip', compressed('gzip', '-1', '-c')),
    Work('sqfstar', ['squashfs-tools', 'liblzo2-2'], 'sqfstar', 'libzstd', ['-comp', 'zstd', '-processors', '4', '-no-progress', 'packed'],
         'packs on four threads', many_files, Packing),
    Work('nginx', ['nginx'], 'nginx', 'libz', ['-p', '.', '-c', 'nginx.conf', '-e', 'error.log'], 'answers four clients', site, Serving),
    Work('curl', None, 'curl', 'libz, inflate', ['-s', '--compressed', 'http://127.0.0.1:{port}/'], 'fetches what is compressed', gzip_answer, Fetching),
    Work('git cat-file', None, 'git', 'libz, inflate', ['cat-file', '--batch'], 'reads objects', git_objects),
    Work('jq', None, 'jq', 'libonig', ['-c', 'select(.word | test("[0-4]{3}[a-c]+"))'], 'filters by a regular expression', fed(JSON)),
    Work('grep -P', None, 'grep', 'libpcre2', ['-P', '--line-buffered', r'([a-f]{3,})[0-9]+\1|7(?=e4)'], 'filters by a regular expression', fed(TEXT)),
    Work('xmllint', None, 'xmllint', 'libxml2', ['--push', '--huge', '-'], 'parses a document, and writes it',
         fed(ROWS, head=b'<?xml version="1.0"?>\n<rows>\n', tail=lambda count: b'</rows>\n')),
    Work('file', None, 'file', 'libmagic', ['-n', '-N', '-f', '-'], 'looks at files', kinds_of_files),
    Work('flac', ['flac'], 'flac', 'libFLAC', ['-s', '-c', '--endian=little', '--sign=signed', '--channels=2', '--bps=16', '--sample-rate=44100',
         '--force-raw-format', '-'], 'compresses sound', fed(NOISE[:60000] + bytes(20000))),
    Work('cjpeg', ['libjpeg-turbo-progs'], 'cjpeg', 'libjpeg', [], 'compresses a picture as it comes',
         fed(NOISE[:60000], head=b'P6\n1000 60000\n255\n', most=3000)),
    Work('pnmtopng', ['netpbm', 'libnetpbm11'], 'pnmtopng', 'libpng', ['-compression', '1'], 'compresses a picture as it is read',
         fed(NOISE * 300, head=b'P6\n4800 4000\n255\n'), Reading),
    Work('python3 zlib', None, '/usr/bin/python3', 'libz', ['-c', MODULE], 'compresses by its module zlib', fed(TEXT)),
    Work('python3 ctypes', None, '/usr/bin/python3', 'liblz4', ['-c', PYTHON, '{library}'], 'calls what it opens by ctypes', fed(TEXT)),
]
