// SPDX-License-Identifier: MIT
// symbol: the API struct, a plain struct of required and optional symbols whose types come from the C header.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <autoreload/c_type.hpp>
#include <autoreload/error.hpp>
#include <autoreload/function_type.hpp>

namespace autoreload {

/// What the API struct says of one symbol. Static data: lives as long as the program.
struct symbol_info {
  const char* name;                              ///< as dlsym wants it
  bool required;                                 ///< the library is refused without it
  bool function;                                 ///< a function, else a variable
  std::size_t size;                              ///< bytes of the variable; 0 for a function
  std::string (*declaration)(const char* name);  ///< spells its C declaration
};

/// Thrown by a call when no generation was ever published (the library is not built yet, or was refused).
/// @param symbol  the symbol that was asked for
[[noreturn]] AUTORELOAD_API void throw_not_loaded(const char* symbol);

/// Thrown by the use of an optional symbol that the running generation lacks, or when there is none.
/// @param symbol  the symbol that was asked for
[[noreturn]] AUTORELOAD_API void throw_absent(const char* symbol);

namespace detail {

// To be called in a handler around a call of a library's function: if the exception is the library's own, its
// generation stays loaded for good, as nobody can say how long the exception is kept.
[[gnu::cold, gnu::noinline]] AUTORELOAD_API void note_exception_from(const void* function) noexcept;

template <std::size_t N>
struct fixed_string {
  char text[N]{};
  consteval fixed_string(const char (&from)[N]) { std::copy_n(from, N, text); }             // NOLINT
  consteval fixed_string(std::string_view from) { std::copy_n(from.data(), N - 1, text); }  // NOLINT
};
template <std::size_t N>
fixed_string(const char (&)[N]) -> fixed_string<N>;

// The compiler spells the template argument out in __PRETTY_FUNCTION__: `Symbol = foo` (g++), `Symbol = &foo` (older
// clang), with namespaces in front for a symbol that a C++ header declares inside one.
template <auto& Symbol>
consteval std::string_view spelled_symbol() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("Symbol = ") + 9);
  text = text.substr(0, text.find_first_of(";]"));
  text = text.substr(0, text.find('('));  // g++ adds the parameters of some functions
  const std::size_t start = text.find_last_of(" :&*");
  return start == std::string_view::npos ? text : text.substr(start + 1);
}

template <auto& Symbol>
consteval auto name_of() {
  constexpr std::string_view name = spelled_symbol<Symbol>();
  static_assert(!name.empty(), "the symbol's name could not be read: use required_as<\"name\", type>");
  return fixed_string<name.size() + 1>(name);
}

template <auto& Symbol>
using type_of = typename without_noexcept<std::remove_reference_t<decltype(Symbol)>>::type;

// Only a resolver makes fields: the key's constructor is private to it.
class resolver_key {
  resolver_key() = default;
  template <class>
  friend struct maker;
};

}  // namespace detail

template <detail::fixed_string Name, class T, bool Required>
class field;

namespace detail {

// What every field shares: one pointer, which can't be copied out, so a call can't outlive its library by accident.
// What is absent has the field's stand-in there: for a function one that throws, so that no call has to test it.
template <fixed_string Name, class T, bool Required>
struct field_base {
  static constexpr symbol_info info{Name.text, Required, std::is_function_v<T>,
                                    [] {
                                      if constexpr (std::is_function_v<T> || std::is_unbounded_array_v<T>) {
                                        return std::size_t{0};
                                      } else {
                                        return sizeof(T);
                                      }
                                    }(),
                                    &c_declaration<T>};

  field_base(const field_base&) = delete;
  field_base& operator=(const field_base&) = delete;

  /// Whether the library has the symbol. Where symbols are hidden, ask in the module that made the `reloadable`.
  [[nodiscard]] explicit operator bool() const noexcept {
    static_assert(!Required, "a required symbol is always there: declare it autoreload::optional to ask for it");
    return is_there();
  }

  /// The bare pointer, for a C interface that wants one (qsort's comparator, say); null for an absent optional symbol.
  /// It dangles as soon as its generation is unloaded: keep a pin for as long as anybody holds it.
  [[nodiscard]] T* unsafe_address() const noexcept { return Required || is_there() ? target_ : nullptr; }

 protected:
  explicit field_base(T* target) noexcept : target_(target) {}
  ~field_base() = default;

  [[nodiscard]] bool is_there() const noexcept { return target_ != field<Name, T, Required>::stand_in(); }
  // Costs a call that returns nothing: the handler is beside its way.
  template <class Call>
  [[gnu::always_inline]] decltype(auto) noting_exceptions(Call call) const {
#ifdef __cpp_exceptions
    try {
      return call();
    } catch (...) {
      note_exception_from(reinterpret_cast<const void*>(target_));
      throw;
    }
#else
    return call();
#endif
  }
  [[noreturn]] static void refuse() {
    if constexpr (Required) {
      throw_not_loaded(Name.text);
    } else {
      throw_absent(Name.text);
    }
  }

  T* target_;
};

}  // namespace detail

/// One symbol of an API struct: callable when T is a function type, dereferenceable when it is an object type. Make
/// them by `required<::foo>`, `optional<::foo>`, `required_as<"foo", int(void)>` or `optional_as<…>`.
///
/// Size: one pointer. Neither copyable nor movable. Thread-safety: immutable.
template <detail::fixed_string Name, class T, bool Required>
class field : public detail::field_base<Name, T, Required> {  // an object: a variable that the library exports
 public:
  /// For `bind` alone.
  field(detail::resolver_key, void* address) noexcept
      : detail::field_base<Name, T, Required>(static_cast<T*>(address)) {}

  /// The variable. @throws error when nothing is loaded yet, or an optional one is absent.
  [[nodiscard]] T& operator*() const {
    if (this->target_ == nullptr) this->refuse();
    return *this->target_;
  }
  /// The variable's members. @throws error as operator* does
  [[nodiscard]] T* operator->() const { return std::addressof(**this); }

  /// What stands here when the library lacks it or is not loaded.
  static T* stand_in() noexcept { return nullptr; }
};

namespace detail {

// The call operator takes what the plain type says; the call itself goes by T's convention.
template <fixed_string Name, class T, bool Required, class Plain>
struct callable;
template <fixed_string Name, class T, bool Required, class R, class... A>
struct callable<Name, T, Required, R(A...)> : field_base<Name, T, Required> {
  using field_base<Name, T, Required>::field_base;
  /// Calls it. @throws error when nothing is loaded yet, or an optional one is absent
  R operator()(A... arguments) const {
    return this->noting_exceptions([&]() -> R { return this->target_(static_cast<A&&>(arguments)...); });
  }
};
// As printf.
template <fixed_string Name, class T, bool Required, class R, class... A>
struct callable<Name, T, Required, R(A..., ...)> : field_base<Name, T, Required> {
  using field_base<Name, T, Required>::field_base;
  /// Calls it. @throws error when nothing is loaded yet, or an optional one is absent
  template <class... More>
  R operator()(A... arguments, More... more) const {
    return this->noting_exceptions([&]() -> R { return this->target_(static_cast<A&&>(arguments)..., more...); });
  }
};

}  // namespace detail

/// A function.
template <detail::fixed_string Name, class T, bool Required>
requires std::is_function_v<T>
class field<Name, T, Required>
    : public detail::callable<Name, T, Required, typename detail::function_parts<T*>::plain> {
 public:
  /// For `bind` alone.
  field(detail::resolver_key, void* address) noexcept
      : field::callable(address != nullptr ? reinterpret_cast<T*>(address) : stand_in()) {}

  /// What stands here when the library lacks it or is not loaded.
  static T* stand_in() noexcept { return &detail::function_parts<T*>::template refuse<refusal>; }

 private:
  struct refusal {
    [[noreturn]] static void refuse() { field::refuse(); }
  };
};

// Aliases, not classes with an `auto&` of their own: such a class would make clang 14 -O0 -g ask the linker for the
// symbol itself, which the host must not have.

/// A symbol that the library must have; its name and type come from the C header's declaration.
template <auto& Symbol>
using required = field<detail::name_of<Symbol>(), detail::type_of<Symbol>, true>;
/// A symbol that the library may have: `if (api->bar) api->bar();` on one pin. Called when it is absent, it throws.
template <auto& Symbol>
using optional = field<detail::name_of<Symbol>(), detail::type_of<Symbol>, false>;
/// The same with name and type spelled out, for overloaded or renamed symbols and for libraries without a header.
template <detail::fixed_string Name, class T>
using required_as = field<Name, typename detail::without_noexcept<T>::type, true>;
/// The same for a symbol that the library may have.
template <detail::fixed_string Name, class T>
using optional_as = field<Name, typename detail::without_noexcept<T>::type, false>;

namespace detail {

// Stands at one place of the struct's braces and becomes whatever field the struct has there. Guaranteed elision builds
// the immovable field in place.
template <class Visit>
struct maker {
  Visit& visit;
  template <fixed_string Name, class T, bool Required>
  operator field<Name, T, Required>() const {  // NOLINT(google-explicit-constructor)
    using made = field<Name, T, Required>;
    return made(resolver_key{}, visit(made::info));
  }
};

template <class Api>
inline constexpr std::size_t field_count = sizeof(Api) / sizeof(void*);

// Whether pointers and the like could fill the struct as it is laid out; what they are, maker finds out.
template <class Api>
concept struct_of_fields = std::is_aggregate_v<Api> && std::is_standard_layout_v<Api> && !std::is_empty_v<Api> &&
                           sizeof(Api) % sizeof(void*) == 0;

template <class Api, class Visit, std::size_t... I>
auto make_api(Visit& visit, std::index_sequence<I...>) -> decltype(Api{((void)I, maker<Visit>{visit})...}) {
  return Api{((void)I, maker<Visit>{visit})...};
}

// Builds an Api, asking `visit(info) -> void*` for each field's address, in order; null for none.
template <class Api, class Visit>
auto make_api(Visit& visit) -> decltype(make_api<Api>(visit, std::make_index_sequence<field_count<Api>>{})) {
  return make_api<Api>(visit, std::make_index_sequence<field_count<Api>>{});
}

// A field says who it is; other members, which may be made of one by chance, don't.
template <class Api>
concept filled_by_fields =
    struct_of_fields<Api> && !std::is_copy_constructible_v<Api> && requires(void* (&visit)(const symbol_info&)) {
  make_api<Api>(visit);
};

}  // namespace detail

/// A struct whose every member is made by required, optional, required_as or optional_as, and which has at least one.
template <class Api>
concept api_struct = detail::filled_by_fields<Api>;

namespace detail {

// Says once for each struct what is wrong with it. Who takes any class as an API struct asks for `fits`, and goes no
// further when it is false: a compiler that went on would bury the sentence under its own.
template <class Api>
struct checked_api {
  static constexpr bool fits = api_struct<Api>;
  static constexpr bool empty = std::is_empty_v<Api> && std::is_class_v<Api>;
  static_assert(!empty, "this API struct is empty: give it a member, such as autoreload::required<::foo> foo;");
  static_assert(fits || empty,
                "an API struct has nothing but members of autoreload::required, optional, required_as and optional_as");
};

}  // namespace detail

/// The symbols of an API struct, in the order of its members. Any thread; the list is built once.
template <api_struct Api>
[[nodiscard]] const std::vector<symbol_info>& symbols_of() {
  static const std::vector<symbol_info> list = [] {
    std::vector<symbol_info> found;
    auto visit = [&](const symbol_info& info) -> void* {
      found.push_back(info);
      return nullptr;
    };
    (void)detail::make_api<Api>(visit);
    return found;
  }();
  return list;
}

/// The struct to call while nothing is loaded: all that is in it is absent, and throws when it is called.
template <api_struct Api>
[[nodiscard]] const Api& not_loaded_api() {
  static constexpr auto visit = [](const symbol_info&) -> void* { return nullptr; };
  static const Api api = detail::make_api<Api>(visit);
  return api;
}

namespace detail {
// As not_loaded_api, for any class.
template <class Api>
const void* not_loaded_table() {
  if constexpr (checked_api<Api>::fits) return &not_loaded_api<Api>();
  return nullptr;
}
}  // namespace detail

/// Fills an API struct whole, or says every required symbol that is missing.
///
/// @param find  `void* find(const symbol_info&)`: the symbol's address, or null when the library lacks it
/// @param path  the library, for the error
/// @return the struct on the heap (its fields can't move), or an error of stage load
template <class Api, class Find>
[[nodiscard]] result<std::unique_ptr<const Api>> bind(const char* path, Find&& find) {
  std::vector<missing_symbol> missing;
  auto visit = [&](const symbol_info& info) -> void* {
    void* const address = find(info);
    if (address == nullptr && info.required) missing.push_back({info.name, info.declaration(info.name), {}});
    return address;
  };
  std::unique_ptr<const Api> api;
  if constexpr (detail::checked_api<Api>::fits) api.reset(new Api(detail::make_api<Api>(visit)));
  if (missing.empty()) return api;
  return error(stage::load, path, "required symbols are missing").missing(std::move(missing));
}

}  // namespace autoreload
