#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz_seeds: makes the fuzzers' first inputs: small libraries in several formats of debug information for the one of
# the helper, and for the one of the host the same with an `f` in front, helpers' answers with an `a`, declarations
# with a `d`.
#
# usage: fuzz_seeds.sh HELPER CONTRACT HOST HELPERS     (the helper executable; contract.c's directory; the two made)
set -eu
helper=$1 contract=$2 host=$3 libraries=$4
rm -rf "$host" "$libraries"
mkdir -p "$host" "$libraries"

library() {
  name=$1
  shift
  "$@" -w -nostdlib -Wl,-z,noseparate-code -fPIC -shared -o "$libraries/$name" "$contract/contract.c" "$contract/widget.c"
  { printf f; cat "$libraries/$name"; } > "$host/file-$name"
  # A path, four numbers (separate, search, names to search for, seconds), 100 ms, and four symbols without address.
  printf '\001x\000\001\000\005\144\004\003foo\001\000\004draw\001\000\004step\001\000\005level\000\000' > "$host/request"
  { printf a; "$helper" 3< "$libraries/$name" < "$host/request"; } > "$host/answer-$name"
  rm "$host/request"
}

library gcc gcc -g
library gcc-optimised gcc -g -O2 -DSHOW_KNOWS_WIDGET
library gcc-4 gcc -gdwarf-4
library gcc-type-units gcc -g -fdebug-types-section
library gcc-compressed gcc -g -gz=zlib
library clang clang -g
library clang-4 clang -gdwarf-4 -O2
library clang-aranges clang -g -gdwarf-aranges
library clang-split clang -g -gsplit-dwarf=single

number=0
for text in 'int (void)' 'unsigned long (const char *, ...)' 'void (*(int))(_Bool)' 'int [3][2]' 'const char *const' \
  'struct a::vec *(const vec *const *, enum hue, union word)' 'void (int (*)(const void *), double (*)[4])'; do
  number=$((number + 1))
  printf 'd%s' "$text" > "$host/declaration-$number"
done
