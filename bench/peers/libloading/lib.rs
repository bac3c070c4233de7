// SPDX-License-Identifier: MIT
//! libloading: the loader of this project's Rust forerunner, in the idioms of its documentation.

use libloading::{Library, Symbol};
use std::ffi::{CStr, OsStr};
use std::os::raw::c_char;
use std::os::unix::ffi::OsStrExt;

type Step = unsafe extern "C" fn(i32) -> i32;
const STEP: &[u8] = b"callee_step\0";

unsafe fn open(path: *const c_char) -> Option<Library> {
    Library::new(OsStr::from_bytes(CStr::from_ptr(path).to_bytes())).ok()
}

#[no_mangle]
pub unsafe extern "C" fn libloading_load(path: *const c_char, x: i32) -> i32 {
    let library = match open(path) {
        Some(library) => library,
        None => return -1,
    };
    let result = match library.get::<Step>(STEP) {
        Ok(step) => step(x),
        Err(_) => -1,
    };
    result
}

/// A symbol borrows its library: the library is leaked while the symbol lives, and taken back at the end.
pub struct Held {
    step: Symbol<'static, Step>,
    library: &'static Library,
}

#[no_mangle]
pub unsafe extern "C" fn libloading_open(path: *const c_char) -> *mut Held {
    let library: &'static Library = match open(path) {
        Some(library) => Box::leak(Box::new(library)),
        None => return std::ptr::null_mut(),
    };
    match library.get::<Step>(STEP) {
        Ok(step) => Box::into_raw(Box::new(Held { step, library })),
        Err(_) => std::ptr::null_mut(),
    }
}

#[no_mangle]
pub unsafe extern "C" fn libloading_close(held: *mut Held) {
    if held.is_null() {
        return;
    }
    let library = Box::from_raw(held).library;
    drop(Box::from_raw(library as *const Library as *mut Library));
}

#[no_mangle]
pub unsafe extern "C" fn libloading_run(held: &Held, calls: i32, mut x: i32) -> i32 {
    for _ in 0..calls {
        x = (held.step)(x);
    }
    x
}

#[no_mangle]
pub unsafe extern "C" fn libloading_run_looked_up(held: &Held, calls: i32, mut x: i32) -> i32 {
    for _ in 0..calls {
        x = match held.library.get::<Step>(STEP) {
            Ok(step) => step(x),
            Err(_) => return -1,
        };
    }
    x
}
