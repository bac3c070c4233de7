/* SPDX-License-Identifier: MIT */
/* musl_find_object: glibc's _dl_find_object for musl, where the unwinder of Debian's libgcc looks for a frame table. */
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>
#include <stdint.h>

/* As glibc lays it out on a 64-bit machine. */
struct dl_find_object {
  unsigned long long flags;
  void* map_start;
  void* map_end;
  struct link_map* link_map;
  void* eh_frame;
  unsigned long long reserved[7];
};

struct search {
  uintptr_t address;
  struct dl_find_object* found;
};

static int look(struct dl_phdr_info* library, size_t size, void* argument) {
  const struct search* const wanted = argument;
  void* table = NULL;
  int inside = 0;
  (void)size;
  for (int i = 0; i < library->dlpi_phnum; ++i) {
    const ElfW(Phdr)* const segment = &library->dlpi_phdr[i];
    const uintptr_t begin = library->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_GNU_EH_FRAME) table = (void*)begin;
    if (segment->p_type == PT_LOAD && wanted->address - begin < segment->p_memsz) {
      inside = 1;
      wanted->found->map_start = (void*)begin;
      wanted->found->map_end = (void*)(begin + segment->p_memsz);
    }
  }
  if (inside) wanted->found->eh_frame = table;
  return inside;
}

int _dl_find_object(void* address, struct dl_find_object* result) {
  struct search wanted = {(uintptr_t)address, result};
  *result = (struct dl_find_object){0};
  return dl_iterate_phdr(look, &wanted) && result->eh_frame != NULL ? 0 : -1;
}
