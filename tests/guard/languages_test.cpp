// SPDX-License-Identifier: MIT
// languages: a library in another language than C, behind a C interface. What the machine sees is the same, so the host
// takes it; what the machine sees differently is refused.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

using namespace autoreload_test;
using autoreload::abi_policy;

// The host's own words for the interface: this program is the host.
struct point {
  int x;
  int y;
};
enum mode { fast, exact };
struct host_api {
  autoreload::required_as<"weigh", int(const point*, mode)> weigh;
  autoreload::required_as<"greet", bool(const char*, std::size_t)> greet;
  autoreload::required_as<"each", int(int (*)(int, void*), void*)> each;
  autoreload::required_as<"area", double(point)> area;
  autoreload::required_as<"level", int> level;
};
struct fortran_api {
  autoreload::required_as<"weigh", double(const point*, int, const double*)> weigh;
  autoreload::required_as<"greet", void(const char*, void*)> greet;
  autoreload::required_as<"level", int> level;
};

// The host uses what it passes, like every host.
int host_uses(const point& p, mode m) { return p.x + p.y + m; }

struct wording {
  const char* name;
  const char* needs;  // a program
  const char* file;   // the source's name
  const char* source;
  const char* build;    // makes it.so of it
  const char* longer;   // an argument of sed that adds a field to the struct
  const char* other;    // one that changes the type of a parameter
  const char* changed;  // the function that it belongs to
  bool fortran = false;
};

const std::vector<wording> wordings{
    // What a compiler of another language would describe, by the one compiler that is always here. Each test that has a
    // real one says the same.
    {"another_language_without_its_compiler", "cc", "it.c", R"(
struct Pair { int first; int second; };
typedef unsigned char octet;
int weigh(struct Pair *p, unsigned m) { return p->first + (int)m; }
octet greet(octet *name, unsigned long n) { return name != 0 && n > 3; }
int each(int (*f)(int, unsigned long), unsigned long data) { return f(1, data); }
double area(struct Pair p) { return p.first; }
unsigned level = 1;
)",
     "cc -g -dA -fPIC -S -o it.s it.c && grep -q '[#/@] *DW_AT_language' it.s && "
     "sed -E -i 's,^([[:space:]]*\\.[a-z0-9]+[[:space:]]+)[0-9a-fx]+([[:space:]]*[#/@]+ *DW_AT_language),\\10x1c\\2,' "
     "it.s && "
     "cc -shared -o it.so it.s",
     "s/int second;/int second, third;/", "s/unsigned long n)/unsigned char n)/", "greet"},
    {"generated_c_of_cgo", "cc", "_cgo_export.c", R"(
struct point { int x; int y; };
int weigh(struct point *p, int m) { return p->x + m; }
unsigned char greet(char *name, unsigned long long n) { return name != 0 && n > 3; }
int each(void *f, void *data) { return ((int (*)(int, void *))f)(1, data); }
double area(struct point p) { return p.x; }
int level = 1;
)",
     "cc -g -fPIC -shared -o it.so _cgo_export.c", "s/int y;/int y, z;/", "s/long long n/char n/", "greet"},
    {"rust", "rustc", "it.rs", R"(
#[repr(C)] pub struct Point { pub x: i32, pub y: i32 }
#[repr(C)] pub enum Mode { Fast, Exact }
type Each = Option<extern "C" fn(i32, *mut std::ffi::c_void) -> i32>;
#[no_mangle] pub extern "C" fn weigh(p: *const Point, m: Mode) -> i32 { unsafe { (*p).x + m as i32 } }
#[no_mangle] pub extern "C" fn greet(name: *const std::os::raw::c_char, n: usize) -> bool { !name.is_null() && n > 3 }
#[no_mangle] pub extern "C" fn each(f: Each, data: *mut std::ffi::c_void) -> i32 { f.map_or(0, |g| g(1, data)) }
#[no_mangle] pub extern "C" fn area(p: Point) -> f64 { p.x as f64 }
#[no_mangle] pub static mut level: i32 = 1;
)",
     "rustc -g --crate-type cdylib -C panic=abort -o it.so it.rs", "s/pub y: i32/pub y: i32, pub z: i32/",
     "s/n: usize/n: u8/", "greet"},
    {"d_by_gcc", "gdc", "it.d", R"(
extern(C):
struct Point { int x, y; }
enum Mode { fast, exact }
int weigh(const Point* p, Mode m) { return p.x + m; }
bool greet(const char* name, size_t n) { return name !is null && n > 3; }
int each(int function(int, void*) f, void* data) { return f(1, data); }
double area(Point p) { return p.x; }
__gshared int level = 1;
)",
     "gdc -g -fPIC -shared -o it.so it.d", "s/int x, y;/int x, y, z;/", "s/size_t n/ubyte n/", "greet"},
    {"d_by_llvm", "ldc2", "it.d", R"(
extern(C):
struct Point { int x, y; }
enum Mode { fast, exact }
int weigh(const Point* p, Mode m) { return p.x + m; }
bool greet(const char* name, size_t n) { return name !is null && n > 3; }
int each(int function(int, void*) f, void* data) { return f(1, data); }
double area(Point p) { return p.x; }
__gshared int level = 1;
)",
     "ldc2 -g -relocation-model=pic -shared -of=it.so it.d", "s/int x, y;/int x, y, z;/", "s/size_t n/ubyte n/",
     "greet"},
    {"ada", "gnat", "it.ads", R"(
with Interfaces.C; use Interfaces.C; with Interfaces.C.Strings; with System;
package It is
  type Point is record X, Y : int; end record with Convention => C;
  type Mode is (Fast, Exact) with Convention => C;
  type Point_Access is access constant Point with Convention => C;
  type Action is access function (A : int; D : System.Address) return int with Convention => C;
  function Weigh (P : Point_Access; M : Mode) return int is (P.X + Mode'Pos (M))
    with Export, Convention => C, External_Name => "weigh";
  function Greet (Name : Interfaces.C.Strings.chars_ptr; N : size_t) return Interfaces.C.C_bool is (True)
    with Export, Convention => C, External_Name => "greet";
  function Each (F : Action; D : System.Address) return int is (F (1, D))
    with Export, Convention => C, External_Name => "each";
  type By_Copy is record X, Y : int; end record with Convention => C_Pass_By_Copy;
  function Area (P : By_Copy) return double is (double (P.X))
    with Export, Convention => C, External_Name => "area";
  Level : int := 1 with Export, Convention => C, External_Name => "level";
end It;
)",
     "gcc -c -g -fPIC -o it.o it.ads && gcc -shared -o it.so it.o", "s/record X, Y :/record X, Y, Z :/",
     "s/N : size_t/N : unsigned_char/", "greet"},
    {"pascal", "fpc", "it.pas", R"(
library it;
uses ctypes;
type
  TPoint = record x, y: cint; end;
  PPoint = ^TPoint;
  TAction = function(a: cint; d: Pointer): cint; cdecl;
function weigh(p: PPoint; m: cint): cint; cdecl;
begin weigh := p^.x + m; end;
function greet(name: PChar; n: csize_t): boolean; cdecl;
begin greet := (name <> nil) and (n > 3); end;
function each(f: TAction; d: Pointer): cint; cdecl;
begin each := f(1, d); end;
function area(p: TPoint): cdouble; cdecl;
begin area := p.x; end;
var level: cint = 1; export name 'level';
exports weigh, greet, each, area;
end.
)",
     "fpc -g -Cg -oit.so it.pas", "s/record x, y:/record x, y, z:/", "s/n: csize_t/n: cuchar/", "greet"},
    {"nim", "nim", "it.nim", R"(
type
  Point {.exportc: "point", bycopy.} = object
    x, y: cint
  Mode {.size: sizeof(cint).} = enum Fast, Exact
proc weigh(p: ptr Point, m: Mode): cint {.exportc, dynlib, cdecl.} = p.x + cint(ord(m))
proc greet(name: cstring, n: csize_t): bool {.exportc, dynlib, cdecl.} = n > 3
proc each(f: proc(a: cint, d: pointer): cint {.cdecl.}, d: pointer): cint {.exportc, dynlib, cdecl.} = f(1, d)
proc area(p: Point): cdouble {.exportc, dynlib, cdecl.} = cdouble(p.x)
var level {.exportc, dynlib.}: cint = 1
)",
     "nim c --app:lib --debugger:native --nimcache:cache -o:it.so it.nim", "s/x, y: cint/x, y, z: cint/",
     "s/n: csize_t/n: cuchar/;s/n > 3/cint(n) > 3/", "greet"},
    {"fortran", "gfortran", "it.f90", R"(
module it
 use iso_c_binding
 type, bind(c) :: point
  integer(c_int) :: x, y
 end type
 integer(c_int), bind(c) :: level = 1
contains
 function weigh(p, n, v) bind(c) result(r)
  type(point), intent(in) :: p
  integer(c_int), value :: n
  real(c_double) :: v(n)
  real(c_double) :: r
  r = p%x + v(n)
 end function
 subroutine greet(name, q) bind(c)
  character(kind=c_char), intent(in) :: name(*)
  type(c_ptr), value :: q
 end subroutine
end module
)",
     "gfortran -g -fPIC -shared -o it.so it.f90", "s/integer(c_int) :: x, y/integer(c_int) :: x, y, z/",
     "s/integer(c_int), value :: n/integer(c_long), value :: n/", "weigh", true},
};

class in_another_language : public testing::TestWithParam<wording> {
 protected:
  unique_fd build(const std::string& edit) {
    const wording& in = GetParam();
    directory_.write(in.file, in.source);
    EXPECT_TRUE(directory_.run("sed -i '" + edit + "' " + in.file + " && " + in.build));
    return snapshot(directory_ / "it.so");
  }
  guard_verdict ask(int candidate, int running, abi_policy policy) {
    const std::vector<symbol_info>& symbols =
        GetParam().fortran ? autoreload::symbols_of<fortran_api>() : autoreload::symbols_of<host_api>();
    return autoreload::make_abi_guard(patient({.policy = policy}))
        ->check({directory_ / "it.so", candidate, running, symbols, ""});
  }

  scratch_directory directory_;
};

TEST_P(in_another_language, the_same_interface_passes_and_another_one_does_not) {
  if (!installed(GetParam().needs)) GTEST_SKIP() << "needs " << GetParam().needs;
  ASSERT_EQ(host_uses({1, 2}, fast), 3);
  const unique_fd same = build("");
  EXPECT_EQ(text_of(ask(same.get(), -1, abi_policy::strict)), "passes") << "the first load";
  EXPECT_EQ(text_of(ask(same.get(), same.get(), abi_policy::strict)), "passes");

  const unique_fd longer = build(GetParam().longer);
  const guard_verdict layout = ask(longer.get(), -1, abi_policy::refuse);
  EXPECT_TRUE(layout.refuse);
  EXPECT_TRUE(says(layout.differences, "struct point: size 8 in the host, 12 in the library")) << text_of(layout);
  EXPECT_TRUE(ask(longer.get(), same.get(), abi_policy::refuse).refuse) << "after a version in the same language";

  const unique_fd other = build(GetParam().other);
  const std::string function = GetParam().changed;
  const guard_verdict call = ask(other.get(), -1, abi_policy::refuse);
  EXPECT_TRUE(says(call.differences, function + ": the host was compiled for")) << text_of(call);
}

INSTANTIATE_TEST_SUITE_P(guard, in_another_language, testing::ValuesIn(wordings),
                         [](const auto& made) { return std::string(made.param.name); });

}  // namespace
