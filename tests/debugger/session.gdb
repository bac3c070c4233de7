# SPDX-License-Identifier: MIT
# session: what a user types at gdb's prompt, as a script. $rebuild is set by the test.
set pagination off
set confirm off
set width 0
# The library is not there yet: its breakpoints wait for it, and for every generation after it.
set breakpoint pending on
# gdb keeps the text of a source file that it has shown: forget it when a new generation comes with new text.
python gdb.events.new_objfile.connect(lambda _: gdb.execute("maint flush source-cache", to_string=True))

break count_to
run
echo == the first generation ==\n
backtrace
info sharedlibrary

python
# Other calls into the old code may stop here before the new one takes over.
gdb.execute(gdb.parse_and_eval("$rebuild").string().join(["shell ", ""]))
old = gdb.selected_frame().find_sal().line
for _ in range(1000):
    gdb.execute("continue")
    if gdb.selected_frame().find_sal().line != old:
        break
end
echo == the second generation ==\n
backtrace
list count_to
delete
break count_twice
continue
echo == a function that only the second generation has ==\n
backtrace
info sharedlibrary
kill
