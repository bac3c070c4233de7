// SPDX-License-Identifier: MIT
// elf_names: <elf.h>, and the names in it that not every C library has yet (musl before 1.2.4 lacks packed
// relocations).
#pragma once

#include <elf.h>

#ifndef DT_RELR
#define SHT_RELR 19
#define DT_RELRSZ 35
#define DT_RELR 36
#define DT_RELRENT 37
using Elf64_Relr = Elf64_Xword;
#endif
#ifndef DT_ANDROID_RELA
#define DT_ANDROID_RELA 0x60000011
#define DT_ANDROID_RELR 0x6fffe000
#endif
#ifndef R_AARCH64_IRELATIVE
#define R_AARCH64_IRELATIVE 1032
#endif
