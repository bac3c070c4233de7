#!/bin/sh
# SPDX-License-Identifier: MIT
# make_corpus: makes fuzz/corpus anew, small libraries by every compiler, linker and table form at hand.
set -eu
cd "$(dirname "$0")"
subject=../tests/mutate/subject.c
flags='-Os -fPIC -shared -fvisibility=hidden'
rm -rf corpus
mkdir corpus

for linker in bfd gold lld mold; do
  clang $flags -fuse-ld=$linker -o corpus/clang-$linker.so $subject
  gcc $flags -fuse-ld=$linker -o corpus/gcc-$linker.so $subject
done
clang --target=aarch64-linux-gnu $flags -nostdlib -fuse-ld=lld -o corpus/aarch64.so ../tests/mutate/aarch64.c
gcc $flags -Wl,--hash-style=sysv -Wl,-z,noseparate-code -o corpus/sysv-hash.so $subject
gcc $flags -Wl,-z,pack-relative-relocs -o corpus/relr.so $subject
gcc $flags -mtls-dialect=gnu2 -o corpus/tls-descriptors.so $subject
gcc $flags -ftls-model=initial-exec -Wl,-z,nodelete -Wl,-rpath,/one:/two -o corpus/warnings.so $subject
printf 'SUBJECT_1 { global: subject_sum; local: *; };' > corpus/versions.map
gcc $flags -Wl,--version-script=corpus/versions.map -o corpus/versions.so $subject
rm corpus/versions.map
for library in corpus/[!a]*.so; do strip "$library"; done

# What a linker at work leaves, and what is no library at all.
head -c 4096 /dev/zero > corpus/zeros
head -c 700 corpus/gcc-bfd.so > corpus/truncated
printf '/* GNU ld script */\nGROUP ( libfoo.so.1 )\n' > corpus/text
printf '!<arch>\n' > corpus/archive
gcc -Os -fPIC -c -o corpus/object.o $subject && strip -g corpus/object.o
du -bs corpus
