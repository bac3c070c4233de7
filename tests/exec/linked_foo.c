/* SPDX-License-Identifier: MIT */
/* linked_foo: what the host is compiled against. The tests build another for each run. */
int calls = 0;
int foo(void) { return 0; }
int bar(void) { return 0; }
