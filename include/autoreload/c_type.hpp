// SPDX-License-Identifier: MIT
// c_type: spells a C++ type as the C declaration that a header would hold, for messages.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include <autoreload/function_type.hpp>

namespace autoreload::detail {

// The compiler's own spelling of T, cut out of the name of this function.
template <class T>
constexpr std::string_view compiler_name() {
  constexpr std::string_view text = __PRETTY_FUNCTION__;
  const std::size_t begin = text.find("T = ") + 4;
  std::size_t end = text.find(';', begin);  // g++ goes on with other aliases after a semicolon
  if (end == std::string_view::npos) end = text.rfind(']');
  return text.substr(begin, end - begin);
}

// Whether a parameter of type Pointer is a va_list. g++ gives what one points to attributes, and warns wherever a
// template names that type; as a parameter of a function it comes in without being named.
void take_va_list(__builtin_va_list);
template <class Pointer, class Function>
inline constexpr bool takes = false;
template <class Pointer>
inline constexpr bool takes<Pointer, void(Pointer)> =
    !std::is_same_v<Pointer, char*> && !std::is_same_v<Pointer, void*>;
template <class Pointer>
inline constexpr bool is_va_list = takes<Pointer, decltype(take_va_list)>;

template <class T>
std::string c_base_name() {
  std::string cv;
  if constexpr (std::is_const_v<T>) cv += "const ";
  if constexpr (std::is_volatile_v<T>) cv += "volatile ";
  using bare = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<bare, bool>) {
    return cv + "_Bool";
  } else if constexpr (std::is_class_v<bare>) {
    return cv + "struct " + std::string(compiler_name<bare>());
  } else if constexpr (std::is_union_v<bare>) {
    return cv + "union " + std::string(compiler_name<bare>());
  } else if constexpr (std::is_enum_v<bare>) {
    return cv + "enum " + std::string(compiler_name<bare>());
  } else {
    return cv + std::string(compiler_name<bare>());
  }
}

// C declarators are read from the name outwards: each step wraps `name` and goes on with what it is made of.
template <class T>
struct c_declarator {
  static std::string of(const std::string& name) {
    const std::string base = c_base_name<T>();
    return name.empty() || name.front() == '*' ? base + (name.empty() ? "" : " ") + name : base + " " + name;
  }
};

template <class T>
std::string c_pointer(const std::string& name, const char* cv) {
  constexpr bool parenthesize = std::is_function_v<T> || std::is_array_v<T>;
  const std::string inner = "*" + std::string(cv) + name;
  return c_declarator<T>::of(parenthesize ? "(" + inner + ")" : inner);
}

template <class T>
struct c_declarator<T*> {
  static std::string of(const std::string& name) {
    if constexpr (is_va_list<T*>) {
      return "va_list" + (name.empty() ? "" : " " + name);
    } else {
      return c_pointer<T>(name, "");
    }
  }
};
#if defined(__x86_64__)
// What a va_list parameter is there. g++ warns of each template that gets the compiler's own type as an argument,
// because it drops the type's attributes; here it is told that this is meant.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"
#pragma GCC diagnostic ignored "-Wignored-attributes"
template <>
struct c_declarator<std::decay_t<std::va_list>> {
  static std::string of(const std::string& name) { return "va_list" + (name.empty() ? "" : " " + name); }
};
#pragma GCC diagnostic pop
#endif
template <class T>
struct c_declarator<T* const> {
  static std::string of(const std::string& name) { return c_pointer<T>(name, name.empty() ? "const" : "const "); }
};
template <class T>
struct c_declarator<T&> {  // a C header has no references; a C++ library's `extern "C"` may
  static std::string of(const std::string& name) { return c_declarator<T>::of("&" + name); }
};
template <class T, std::size_t N>
struct c_declarator<T[N]> {
  static std::string of(const std::string& name) {
    if constexpr (N == 1 && is_va_list<T*>) {
      return "va_list" + (name.empty() ? "" : " " + name);
    } else {
      return c_declarator<T>::of(name + "[" + std::to_string(N) + "]");
    }
  }
};
template <class T>
struct c_declarator<T[]> {
  static std::string of(const std::string& name) { return c_declarator<T>::of(name + "[]"); }
};

template <class... A>
std::string c_parameters(bool variadic) {
  std::string list;
  ((list += (list.empty() ? "" : ", ") + c_declarator<A>::of("")), ...);
  if (variadic) return list + ", ...";
  return list.empty() ? "void" : list;
}

template <class R, class... A>
struct c_declarator<R(A...)> {
  static std::string of(const std::string& name) {
    return c_declarator<R>::of(name + "(" + c_parameters<A...>(false) + ")");
  }
};
template <class R, class... A>
struct c_declarator<R(A..., ...)> {
  static std::string of(const std::string& name) {
    return c_declarator<R>::of(name + "(" + c_parameters<A...>(true) + ")");
  }
};

/// `name` declared with type T in C: `c_declaration<int(const char*)>("f")` is `int f(const char *)`.
template <class T>
std::string c_declaration(const char* name) {
  if constexpr (std::is_function_v<T>) {
    return c_declarator<typename function_parts<T*>::plain>::of(name);
  } else {
    return c_declarator<T>::of(name);
  }
}

}  // namespace autoreload::detail
