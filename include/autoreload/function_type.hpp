// SPDX-License-Identifier: MIT
// function_type: a function's type under what compilers make part of it: noexcept, noreturn, and calling conventions.
//
// The pattern `R(A...)` fits none of those, so each has patterns of its own. A convention must stay part of the type:
// it decides which registers a call uses.
#pragma once

#include <type_traits>

#include <autoreload/language.hpp>

namespace autoreload::detail {

// Of a pointer to a function:
// - `type` is the function's type without noexcept.
// - `plain` is R(A...) or R(A..., ...).
// - `refuse<Refusal>` is a function of that type that calls Refusal::refuse(), which must not return. Refusal must be
//   another class for each use: clang's names of functions do not tell conventions apart.
template <class Pointer>
struct function_parts {
  static_assert(sizeof(Pointer) == 0,
                "autoreload does not know an attribute of this function's type: leave it out, or call a wrapper");
};

// clang-format off
#define AUTORELOAD_FUNCTION(ATTRIBUTE, ...)                                        \
  template <class R, class... A>                                                   \
  struct function_parts<R (ATTRIBUTE*)(A... __VA_ARGS__)> {                        \
    using type = std::remove_pointer_t<R (ATTRIBUTE*)(A... __VA_ARGS__)>;          \
    using plain = R(A... __VA_ARGS__);                                             \
    template <class Refusal>                                                       \
    ATTRIBUTE static R refuse(A... __VA_ARGS__) { Refusal::refuse(); }             \
  };                                                                               \
  template <class R, class... A>                                                   \
  struct function_parts<R (ATTRIBUTE*)(A... __VA_ARGS__) noexcept>                 \
      : function_parts<R (ATTRIBUTE*)(A... __VA_ARGS__)> {};
#define AUTORELOAD_ELLIPSIS , ...
// clang-format on

AUTORELOAD_FUNCTION()
AUTORELOAD_FUNCTION(, AUTORELOAD_ELLIPSIS)
#if defined(__x86_64__) && !defined(__ILP32__)
AUTORELOAD_FUNCTION(__attribute__((ms_abi)))
AUTORELOAD_FUNCTION(__attribute__((ms_abi)), AUTORELOAD_ELLIPSIS)
#endif
#if defined(__clang__)  // g++ has no such types, or ignores the attribute
AUTORELOAD_FUNCTION(__attribute__((noreturn)))
AUTORELOAD_FUNCTION(__attribute__((noreturn)), AUTORELOAD_ELLIPSIS)
#if defined(__x86_64__) || defined(__aarch64__)
AUTORELOAD_FUNCTION(__attribute__((preserve_most)))
AUTORELOAD_FUNCTION(__attribute__((preserve_all)))
#endif
#if defined(__x86_64__)
AUTORELOAD_FUNCTION(__attribute__((noreturn, ms_abi)))
AUTORELOAD_FUNCTION(__attribute__((vectorcall)))
AUTORELOAD_FUNCTION(__attribute__((regcall)))
AUTORELOAD_FUNCTION(__attribute__((no_caller_saved_registers)))
#endif
#if defined(__aarch64__)
AUTORELOAD_FUNCTION(__attribute__((aarch64_vector_pcs)))
#endif
#endif
#undef AUTORELOAD_ELLIPSIS
#undef AUTORELOAD_FUNCTION

template <class T>
struct without_noexcept {
  using type = T;
};
template <class T>
requires std::is_function_v<T>
struct without_noexcept<T> {
  using type = typename function_parts<T*>::type;
};

}  // namespace autoreload::detail
