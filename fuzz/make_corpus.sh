#!/bin/sh
# SPDX-License-Identifier: MIT
# make_corpus: makes fuzz/corpus anew, small libraries by every compiler, linker and table form at hand. It wants build/.
set -eu
cd "$(dirname "$0")"
subject=../tests/mutate/subject.c
flags='-Os -fPIC -shared -fvisibility=hidden'
rm -rf corpus/inspect corpus/source_place
mkdir -p corpus/inspect corpus/source_place

for linker in bfd gold lld mold; do
  clang $flags -fuse-ld=$linker -o corpus/inspect/clang-$linker.so $subject
  gcc $flags -fuse-ld=$linker -o corpus/inspect/gcc-$linker.so $subject
done
clang --target=aarch64-linux-gnu $flags -nostdlib -fuse-ld=lld -o corpus/inspect/aarch64.so ../tests/mutate/aarch64.c
gcc $flags -Wl,--hash-style=sysv -Wl,-z,noseparate-code -o corpus/inspect/sysv-hash.so $subject
gcc $flags -Wl,-z,pack-relative-relocs -o corpus/inspect/relr.so $subject
gcc $flags -mtls-dialect=gnu2 -o corpus/inspect/tls-descriptors.so $subject
gcc $flags -ftls-model=initial-exec -Wl,-z,nodelete -Wl,-rpath,/one:/two -o corpus/inspect/warnings.so $subject
printf 'SUBJECT_1 { global: subject_sum; local: *; };' > corpus/inspect/versions.map
gcc $flags -Wl,--version-script=corpus/inspect/versions.map -o corpus/inspect/versions.so $subject
rm corpus/inspect/versions.map
for library in corpus/inspect/[!a]*.so; do strip "$library"; done
../build/digest/autoreload-digest corpus/inspect/gcc-bfd.so corpus/inspect/digest.so

# What a linker at work leaves, and what is no library at all.
head -c 4096 /dev/zero > corpus/inspect/zeros
head -c 700 corpus/inspect/gcc-bfd.so > corpus/inspect/truncated
printf '/* GNU ld script */\nGROUP ( libfoo.so.1 )\n' > corpus/inspect/text
printf '!<arch>\n' > corpus/inspect/archive
gcc -Os -fPIC -c -o corpus/inspect/object.o $subject && strip -g corpus/inspect/object.o

# For the reader of line tables: eight bytes of an address, then a library with debug information.
for version in 2 4 5; do
  gcc $flags -g -gdwarf-$version -nostdlib -o corpus/source_place/library $subject
  nm corpus/source_place/library | awk '$3 == "subject_switch" { print $1 }' |
    python3 -c 'import sys; sys.stdout.buffer.write(int(sys.stdin.read(), 16).to_bytes(8, "little"))' \
      > corpus/source_place/dwarf-$version
  cat corpus/source_place/library >> corpus/source_place/dwarf-$version
done
rm corpus/source_place/library
du -bs corpus
