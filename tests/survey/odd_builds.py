#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""odd_builds: builds one small library in every way that compilers, linkers and tools offer.

usage: odd_builds.py DIRECTORY [--jobs N]

Each compiler with each linker and each list of flags; then what strip, objcopy, patchelf and the like make of some of them. A combination
that a tool refuses is left out. A library's name says how it was made.
"""

import argparse
import concurrent.futures
import os
import shutil
import subprocess
from pathlib import Path

C = r"""
extern int puts(const char*);
extern void* malloc(unsigned long);
extern void qsort(void*, unsigned long, unsigned long, int (*)(const void*, const void*));
static int order(const void* a, const void* b) { return *(const int*)a - *(const int*)b; }
int numbers[64] = {5, 4, 3, 2, 1};
int zeros[4096];
const char* const words[] = {"one", "two", "three"};
int (*const functions[])(const void*, const void*) = {order, order};
#if !defined(__TINYC__) && !defined(BARE)
static __thread int mine = 7;
#else
static int mine = 7;
#endif
#ifndef __TINYC__
__attribute__((section("set"), used)) static int first_of_set = 4;
__attribute__((section("set"), used)) static int second_of_set = 5;
extern int __start_set[] __attribute__((visibility("hidden")));
extern int __stop_set[] __attribute__((visibility("hidden")));
int set_size(void) { return (int)(__stop_set - __start_set); }
int weak_one(void) __attribute__((weak));
int weak_one(void) { return 1; }
int old_name(void) __attribute__((alias("weak_one")));
__attribute__((constructor)) static void begin(void) { zeros[0] = 1; }
__attribute__((destructor)) static void end(void) { zeros[0] = 0; }
#endif
int sorted(int count) {
#ifndef BARE
  qsort(numbers, (unsigned long)count, sizeof(int), order);
#endif
  return numbers[0] + mine;
}
int choose(int which) {
  switch (which) {
    case 0: return 11; case 1: return mine; case 2: return numbers[which]; case 3: return 6; case 4: return 19;
    case 5: return zeros[3]; case 6: return functions[0](&numbers[0], &numbers[1]); case 7: return words[1][0];
    default: return -1;
  }
}
int value(void) { return 4; }
"""

CXX = r"""
#include <map>
#include <stdexcept>
#include <string>
struct shape { virtual ~shape() = default; virtual int area() const { return 1; } };
struct square final : shape { int side = 3; int area() const override { return side * side; } };
inline int& counter() { static int value; return value; }
thread_local std::string name = "name";
static std::map<std::string, int> table{{"one", 1}};
extern "C" int value() {
  try {
    if (table.at("one") != 1) throw std::runtime_error("never");
  } catch (const std::exception&) {
    return -1;
  }
  square one;
  const shape& any = one;
  return any.area() + counter()++ + static_cast<int>(name.size());
}
"""

ASM = r"""
  .text
  .globl value
  .type value, @function
value:
  mov $4, %eax
  ret
  .size value, .-value
"""
ASM_TABLE = r"""
  .text
  .globl value
  .type value, @function
value:
  .cfi_startproc
  jmp 1f
  .balign 8
  .quad 0, 0, 0, 0
1: mov $4, %eax
  ret
  .cfi_endproc
  .size value, .-value
  .section .note.GNU-stack,"",@progbits
"""

LINKERS = ("bfd", "gold", "lld", "mold")

# Flags, by a name that can be a file's.
COMMON = {
    "plain": "", "O0": "-O0", "O2-g": "-O2 -g", "O3": "-O3", "Os": "-Os", "g1": "-g1", "g3": "-g3", "gz": "-g -gz", "split-dwarf": "-g -gsplit-dwarf",
    "lto": "-flto -O2", "gc-sections": "-ffunction-sections -fdata-sections -Wl,--gc-sections", "sections": "-ffunction-sections -fdata-sections",
    "icf": "-O2 -ffunction-sections -Wl,--icf=all", "no-plt": "-fno-plt -O2", "hidden": "-fvisibility=hidden", "no-semantic": "-fno-semantic-interposition -O2",
    "profile-arcs": "--coverage", "profile-generate": "-fprofile-generate", "profile-instr-generate": "-fprofile-instr-generate -fcoverage-mapping",
    "trace-pc": "-fsanitize-coverage=trace-pc", "trace-pc-guard": "-fsanitize-coverage=trace-pc-guard,pc-table", "inline-counters":
    "-fsanitize-coverage=inline-8bit-counters,pc-table", "trace-cmp": "-fsanitize-coverage=trace-cmp,trace-pc-guard",
    "instrument-functions": "-finstrument-functions", "pg": "-pg", "patchable": "-fpatchable-function-entry=8,4", "xray": "-fxray-instrument",
    "stack-protector": "-fstack-protector-all", "stack-clash": "-fstack-clash-protection", "cf-protection": "-fcf-protection=full",
    "no-cf-protection": "-fcf-protection=none", "split-stack": "-fsplit-stack", "no-unwind": "-fno-asynchronous-unwind-tables -fno-exceptions",
    "omp": "-fopenmp", "mcmodel-large": "-mcmodel=large", "mcmodel-medium": "-mcmodel=medium", "align": "-falign-functions=64", "avx2": "-O3 -mavx2",
    "address": "-fsanitize=address", "thread": "-fsanitize=thread", "memory": "-fsanitize=memory", "leak": "-fsanitize=leak",
    "undefined": "-fsanitize=undefined", "undefined-trap": "-fsanitize=undefined -fsanitize-undefined-trap-on-error",
    "hwaddress": "-fsanitize=hwaddress", "safe-stack": "-fsanitize=safe-stack", "cfi": "-fsanitize=cfi -flto -fvisibility=hidden",
    "text-segment": "-Wl,-Ttext-segment=0x10000000", "image-base": "-Wl,--image-base=0x10000000", "text": "-Wl,-Ttext=0x200000", "data": "-Wl,-Tdata=0x600000",
    "bss": "-Wl,-Tbss=0x900000", "image-base-plain": "-Wl,--image-base=0x200000 -Wl,-z,noseparate-code",
    "nostdlib": "-nostdlib -DBARE", "nostartfiles": "-nostartfiles", "nostdlib-symbolic": "-nostdlib -DBARE -Wl,-Bsymbolic", "static-libgcc": "-static-libgcc",
    "nostdlib-base": "-nostdlib -DBARE -Wl,--image-base=0x10000000", "nostdlib-text-segment": "-nostdlib -DBARE -Wl,-Ttext-segment=0x10000000",
    "hash-sysv": "-Wl,--hash-style=sysv", "hash-both": "-Wl,--hash-style=both", "hash-gnu": "-Wl,--hash-style=gnu", "relr": "-Wl,-z,pack-relative-relocs",
    "pack-relr": "-Wl,--pack-dyn-relocs=relr", "use-android-relr": "-Wl,--pack-dyn-relocs=relr -Wl,--use-android-relr-tags",
    "pack-android": "-Wl,--pack-dyn-relocs=android", "now": "-Wl,-z,now", "lazy": "-Wl,-z,lazy", "norelro": "-Wl,-z,norelro", "relro": "-Wl,-z,relro,-z,now",
    "separate-code": "-Wl,-z,separate-code", "noseparate-code": "-Wl,-z,noseparate-code", "separate-loadable": "-Wl,-z,separate-loadable-segments",
    "max-page-64k": "-Wl,-z,max-page-size=65536", "max-page-2m": "-Wl,-z,max-page-size=2097152", "max-page-4k": "-Wl,-z,max-page-size=4096",
    "common-page": "-Wl,-z,common-page-size=65536", "rodynamic": "-Wl,-z,rodynamic", "nodelete": "-Wl,-z,nodelete", "initfirst": "-Wl,-z,initfirst",
    "interpose": "-Wl,-z,interpose", "origin": "-Wl,-z,origin", "global": "-Wl,-z,global", "combreloc": "-Wl,-z,combreloc",
    "nocombreloc": "-Wl,-z,nocombreloc", "nognustack": "-Wl,-z,nognustack", "execstack": "-Wl,-z,execstack", "stack-size": "-Wl,-z,stack-size=1048576",
    "start-stop-hidden": "-Wl,-z,start-stop-visibility=hidden", "start-stop-protected": "-Wl,-z,start-stop-visibility=protected",
    "start-stop-internal": "-Wl,-z,start-stop-visibility=internal", "start-stop-gc": "-Wl,-z,start-stop-gc -Wl,--gc-sections",
    "nosectionheader": "-Wl,-z,nosectionheader", "wxneeded": "-Wl,-z,wxneeded", "retpolineplt": "-Wl,-z,retpolineplt", "ibtplt": "-Wl,-z,ibtplt", "shstk":
    "-Wl,-z,shstk", "bti": "-Wl,-z,force-ibt", "no-eh-frame-hdr": "-Wl,--no-eh-frame-hdr", "no-ld-generated": "-Wl,--no-ld-generated-unwind-info",
    "no-gnu-unique": "-fno-gnu-unique", "Bsymbolic": "-Wl,-Bsymbolic", "Bsymbolic-functions": "-Wl,-Bsymbolic-functions", "strip-all": "-s", "strip-debug":
    "-g -Wl,-S", "build-id-none": "-Wl,--build-id=none", "build-id-md5": "-Wl,--build-id=md5", "build-id-0x": "-Wl,--build-id=0x00000000",
    "compress": "-g -Wl,--compress-debug-sections=zlib", "compress-zstd": "-g -Wl,--compress-debug-sections=zstd", "emit-relocs": "-Wl,-q", "rosegment":
    "-Wl,--no-rosegment", "merge-exidx": "-Wl,-O2", "sort-common": "-Wl,--sort-common", "no-undefined": "-Wl,-z,defs", "as-needed": "-Wl,--as-needed -lm",
    "no-as-needed": "-Wl,--no-as-needed -lm -lpthread", "soname": "-Wl,-soname,libodd.so.1", "rpath": "-Wl,-rpath,/one:/two -Wl,--disable-new-dtags",
    "auxiliary": "-Wl,-f,libm.so.6", "filter": "-Wl,-F,libm.so.6", "init-fini": "-Wl,-init,value -Wl,-fini,value", "omagic": "-Wl,--omagic", "nmagic":
    "-Wl,--nmagic", "spare-tags": "-Wl,--spare-dynamic-tags=40", "package-metadata": "-Wl,--package-metadata={\"a\":1}", "tls-desc": "-mtls-dialect=gnu2",
    "tls-ie": "-ftls-model=initial-exec", "tls-ld": "-ftls-model=local-dynamic", "dynamic-list-data": "-Wl,--dynamic-list-data", "unique":
    "-Wl,--unique", "section-start": "-Wl,--section-start=set=0x700000", "no-dynamic-linker": "-Wl,--no-dynamic-linker", "x": "-Wl,-x", "warn": "-Wl,--defsym=made=value",
    "defsym-absolute": "-Wl,--defsym=made=0x1234", "wrap": "-Wl,--wrap=qsort", "execute-only": "-Wl,--execute-only", "shuffle": "-Wl,--shuffle-sections=*=1",
    "print-map": "-Wl,--no-gc-sections", "stdlib-libc++": "-stdlib=libc++", "gcc-ctf": "-gctf", "record-switches": "-frecord-gcc-switches", "ident":
    "-fno-ident", "apply-dynamic-relocs": "-Wl,--apply-dynamic-relocs", "no-apply": "-Wl,--no-apply-dynamic-relocs", "reproduce": "-Wl,--spare-program-headers=4",
    "keep-text-section-prefix": "-Wl,-z,keep-text-section-prefix", "nocopyreloc": "-Wl,-z,nocopyreloc", "no-dynamic-undefined-weak": "-Wl,-z,nodynamic-undefined-weak",
    "partitions": "-Wl,--lto-O1 -flto", "memory-tagging": "-Wl,-z,unique-symbol", "rel": "-Wl,-z,rel", "dead-reloc": "-Wl,--noinhibit-exec",
}

# What other tools make of a library: shell words, IN and OUT are the files.
REWRITES = {
    "strip": "strip -o OUT IN", "strip-debug": "strip -g -o OUT IN", "strip-unneeded": "strip --strip-unneeded -o OUT IN",
    "strip-section-headers": "strip --strip-section-headers -o OUT IN", "strip-dwo": "strip --strip-dwo -o OUT IN", "llvm-strip": "llvm-strip-14 -o OUT IN",
    "llvm-strip-sections": "llvm-strip-14 --strip-sections -o OUT IN", "eu-strip": "eu-strip -o OUT IN", "only-keep-debug": "objcopy --only-keep-debug IN OUT",
    "compress": "objcopy --compress-debug-sections IN OUT", "add-section": "objcopy --add-section .more=IN IN OUT", "llvm-objcopy": "llvm-objcopy-14 IN OUT",
    "llvm-only-keep-debug": "llvm-objcopy-14 --only-keep-debug IN OUT", "remove-comment": "objcopy -R .comment IN OUT", "remove-notes":
    "objcopy -R .note.gnu.build-id IN OUT", "rename-section": "objcopy --rename-section .data=.facts IN OUT", "debuglink": "objcopy --add-gnu-debuglink=IN IN OUT",
    "localize": "objcopy --localize-symbol value IN OUT", "rpath": "patchelf --set-rpath /some/where/that/is/long --output OUT IN", "rpath-short":
    "patchelf --set-rpath /a --output OUT IN", "soname": "patchelf --set-soname libanother-long-name.so.7 --output OUT IN", "add-needed":
    "patchelf --add-needed libm.so.6 --output OUT IN", "remove-rpath": "patchelf --remove-rpath --output OUT IN", "clear-symbol-version":
    "patchelf --clear-symbol-version qsort --output OUT IN", "set-page-size": "patchelf --page-size 65536 --set-rpath /bbbbbbbbbbbbbbbbbbbb --output OUT IN",
    "dwz": "dwz -o OUT IN",
}
REWRITTEN = ("plain", "O2-g", "relr", "hash-both", "nostdlib", "text-segment", "rpath", "sections", "hidden", "noseparate-code")


def tool(name):
    return shutil.which(name) is not None


def ways():
    """(name, command with OUT) of each library."""
    compilers = {"gcc": ("gcc", "c"), "clang": ("clang", "c"), "g++": ("g++", "cpp"), "clang++": ("clang++", "cpp")}
    for name, (compiler, language) in compilers.items():
        if not tool(compiler):
            continue
        for linker in LINKERS:
            if not tool("ld." + linker):
                continue
            for flags, words in COMMON.items():
                if language == "cpp" and "nostdlib" in words:
                    continue
                yield f"{name}-{linker}-{flags}", f"{compiler} -shared -fPIC -w -fuse-ld={linker} {words} SOURCES/library.{language} -o OUT"
            for source in ("bare", "table"):
                for more, words in {"": "", "-noexecstack": "-Wl,-z,noexecstack", "-nostdlib": "-nostdlib"}.items():
                    yield f"{name}-{linker}-asm-{source}{more}", f"{compiler} -shared -fuse-ld={linker} {words} SOURCES/{source}.s -o OUT"
    if tool("tcc"):
        yield "tcc", "tcc -shared SOURCES/library.c -o OUT"
        yield "tcc-rdynamic", "tcc -shared -rdynamic -g SOURCES/library.c -o OUT"
        yield "tcc-soname", "tcc -shared -soname libodd.so.2 SOURCES/library.c -o OUT"
        yield "tcc-nostdlib", "tcc -shared -nostdlib -DBARE SOURCES/library.c -o OUT"
        yield "tcc-b", "tcc -shared -b SOURCES/library.c -o OUT"


def build(directory, name, command):
    out = directory / f"{name}.so"
    words = [str(out) if w == "OUT" else w.replace("SOURCES", str(directory / "sources")) for w in command.split()]
    try:
        made = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory / "sources", timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        made = False
    if not made:
        out.unlink(missing_ok=True)


def rewrite(directory, source, name, command):
    words = [w.replace("OUT", str(directory / f"{source.stem}+{name}.so")).replace("IN", str(source)) for w in command.split()]
    try:
        made = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        made = False
    if not made:
        (directory / f"{source.stem}+{name}.so").unlink(missing_ok=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    directory = chosen.directory.resolve()
    (directory / "sources").mkdir(parents=True, exist_ok=True)
    for name, text in {"library.c": C, "library.cpp": CXX, "bare.s": ASM, "table.s": ASM_TABLE}.items():
        (directory / "sources" / name).write_text(text)
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        list(pool.map(lambda way: build(directory, *way), ways()))
        sources = [path for path in sorted(directory.glob("*.so")) if path.stem.split("-", 2)[-1] in REWRITTEN and "+" not in path.stem]
        list(pool.map(lambda job: rewrite(directory, *job), [(s, n, c) for s in sources for n, c in REWRITES.items()]))
    print(f"{len(list(directory.glob('*.so')))} libraries in {directory}")


if __name__ == "__main__":
    main()
