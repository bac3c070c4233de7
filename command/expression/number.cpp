// SPDX-License-Identifier: MIT
// number: each operation is done in the type that C does it in, so that float rounds as float.
#include "number.hpp"

#include <cmath>
#include <complex>
#include <cstring>

namespace autoreload::command {

namespace {

template <class T>
T read_as(std::span<const std::byte> bytes, std::size_t index = 0) {
  T value{};
  if (bytes.size() >= (index + 1) * sizeof(T)) std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

template <class T>
void append(std::vector<std::byte>& into, T value) {
  const std::size_t at = into.size();
  into.resize(at + sizeof(T));
  std::memcpy(into.data() + at, &value, sizeof(T));
}

number whole(wide value) { return {.whole = value}; }
number real(long double value, long double imaginary = 0) {
  return {.is_whole = false, .real = value, .imaginary = imaginary};
}

wide to_whole(const number& value) {
  if (value.is_whole) return value.whole;
  constexpr long double limit = 0x1p126L;
  if (!(value.real > -limit && value.real < limit)) return static_cast<wide>(unsigned_wide{1} << 127);
  return static_cast<wide>(value.real);
}

// An integer type's smallest value is what the machine gives for a floating value that doesn't fit.
template <class T>
T narrow(const number& value) {
  if (!value.is_whole && sizeof(T) < sizeof(wide)) {
    const wide w = to_whole(value);
    const wide top = wide{1} << (sizeof(T) * 8);
    // NOLINTNEXTLINE(bugprone-misplaced-widening-cast): the shift is done in 64 bits
    if (w >= top || w <= -top) return static_cast<T>(std::uint64_t{1} << (sizeof(T) * 8 - 1));
    return static_cast<T>(w);
  }
  return static_cast<T>(to_whole(value));
}

long double to_real(const number& value, bool is_unsigned = false) {
  if (!value.is_whole) return value.real;
  return is_unsigned ? static_cast<long double>(static_cast<unsigned_wide>(value.whole))
                     : static_cast<long double>(value.whole);
}

template <class T>
std::optional<number> calculate_real(T a, std::string_view sign, T b) {
  if (sign == "+") return real(a + b);
  if (sign == "-") return real(a - b);
  if (sign == "*") return real(a * b);
  if (sign == "/") return real(a / b);
  if (sign == "<") return whole(a < b);
  if (sign == ">") return whole(a > b);
  if (sign == "<=") return whole(a <= b);
  if (sign == ">=") return whole(a >= b);
  if (sign == "==") return whole(a == b);
  if (sign == "!=") return whole(a != b);
  return std::nullopt;
}

template <class T>
std::optional<number> calculate_complex(const number& a, std::string_view sign, const number& b) {
  const std::complex<T> x(static_cast<T>(to_real(a)), static_cast<T>(a.is_whole ? 0 : a.imaginary));
  const std::complex<T> y(static_cast<T>(to_real(b)), static_cast<T>(b.is_whole ? 0 : b.imaginary));
  std::complex<T> z;
  if (sign == "+") {
    z = x + y;
  } else if (sign == "-") {
    z = x - y;
  } else if (sign == "*") {
    z = x * y;
  } else if (sign == "/") {
    z = x / y;
  } else if (sign == "==" || sign == "!=") {
    return whole((x == y) == (sign == "=="));
  } else {
    return std::nullopt;
  }
  return real(z.real(), z.imag());
}

// Two's complement, so that an overflow wraps as it does on the machine.
template <class T>
std::optional<number> calculate_whole(T a, std::string_view sign, T b, bool is_signed, unsigned bits) {
  const auto u = [](T value) { return static_cast<unsigned_wide>(value); };
  const auto w = [](unsigned_wide value) { return whole(static_cast<wide>(value)); };
  if (sign == "+") return w(u(a) + u(b));
  if (sign == "-") return w(u(a) - u(b));
  if (sign == "*") return w(u(a) * u(b));
  if (sign == "&") return w(u(a) & u(b));
  if (sign == "|") return w(u(a) | u(b));
  if (sign == "^") return w(u(a) ^ u(b));
  if (sign == "/" || sign == "%") {
    if (b == 0) return std::nullopt;
    if (is_signed && b == static_cast<T>(-1)) return sign == "/" ? w(-u(a)) : whole(0);
    return w(u(sign == "/" ? a / b : a % b));
  }
  if (sign == "<<" || sign == ">>") {
    if (b < 0 || u(b) >= bits) return std::nullopt;
    return sign == "<<" ? w(u(a) << static_cast<unsigned>(b)) : w(u(static_cast<T>(a >> static_cast<unsigned>(b))));
  }
  if (sign == "<") return whole(a < b);
  if (sign == ">") return whole(a > b);
  if (sign == "<=") return whole(a <= b);
  if (sign == ">=") return whole(a >= b);
  if (sign == "==") return whole(a == b);
  if (sign == "!=") return whole(a != b);
  return std::nullopt;
}

unsigned bits_of(basic b) { return static_cast<unsigned>(store({}, b).size() * 8); }

bool is_unsigned(basic b) {
  return b == basic::unsigned_integer || b == basic::unsigned_long || b == basic::unsigned_long_long ||
         b == basic::unsigned_int128;
}

}  // namespace

number load(std::span<const std::byte> bytes, basic as) {
  switch (as) {
    case basic::nothing: return {};
    case basic::boolean: return whole(read_as<unsigned char>(bytes) != 0);
    case basic::character: return whole(read_as<char>(bytes));
    case basic::signed_character: return whole(read_as<signed char>(bytes));
    case basic::unsigned_character: return whole(read_as<unsigned char>(bytes));
    case basic::short_integer: return whole(read_as<short>(bytes));
    case basic::unsigned_short: return whole(read_as<unsigned short>(bytes));
    case basic::integer: return whole(read_as<int>(bytes));
    case basic::unsigned_integer: return whole(read_as<unsigned>(bytes));
    case basic::long_integer: return whole(read_as<long>(bytes));
    case basic::unsigned_long: return whole(read_as<unsigned long>(bytes));
    case basic::long_long: return whole(read_as<long long>(bytes));
    case basic::unsigned_long_long: return whole(read_as<unsigned long long>(bytes));
    case basic::int128:
    case basic::unsigned_int128: return whole(read_as<wide>(bytes));
    case basic::float_number: return real(read_as<float>(bytes));
    case basic::double_number: return real(read_as<double>(bytes));
    case basic::long_double: return real(read_as<long double>(bytes));
    case basic::complex_float: return real(read_as<float>(bytes), read_as<float>(bytes, 1));
    case basic::complex_double: return real(read_as<double>(bytes), read_as<double>(bytes, 1));
    case basic::complex_long_double: return real(read_as<long double>(bytes), read_as<long double>(bytes, 1));
  }
  return {};
}

std::vector<std::byte> store(const number& value, basic as) {
  std::vector<std::byte> bytes;
  const long double imaginary = value.is_whole ? 0 : value.imaginary;
  switch (as) {
    case basic::nothing: break;
    case basic::boolean: append<unsigned char>(bytes, is_true(value) ? 1 : 0); break;
    case basic::character: append(bytes, narrow<char>(value)); break;
    case basic::signed_character: append(bytes, narrow<signed char>(value)); break;
    case basic::unsigned_character: append(bytes, narrow<unsigned char>(value)); break;
    case basic::short_integer: append(bytes, narrow<short>(value)); break;
    case basic::unsigned_short: append(bytes, narrow<unsigned short>(value)); break;
    case basic::integer: append(bytes, narrow<int>(value)); break;
    case basic::unsigned_integer: append(bytes, narrow<unsigned>(value)); break;
    case basic::long_integer: append(bytes, narrow<long>(value)); break;
    case basic::unsigned_long: append(bytes, narrow<unsigned long>(value)); break;
    case basic::long_long: append(bytes, narrow<long long>(value)); break;
    case basic::unsigned_long_long: append(bytes, narrow<unsigned long long>(value)); break;
    case basic::int128:
    case basic::unsigned_int128: append(bytes, to_whole(value)); break;
    case basic::float_number: append(bytes, static_cast<float>(to_real(value))); break;
    case basic::double_number: append(bytes, static_cast<double>(to_real(value))); break;
    case basic::long_double: append(bytes, to_real(value)); break;
    case basic::complex_float:
      append(bytes, static_cast<float>(to_real(value)));
      append(bytes, static_cast<float>(imaginary));
      break;
    case basic::complex_double:
      append(bytes, static_cast<double>(to_real(value)));
      append(bytes, static_cast<double>(imaginary));
      break;
    case basic::complex_long_double:
      append(bytes, to_real(value));
      append(bytes, imaginary);
      break;
  }
  return bytes;
}

number convert(const number& value, basic to) { return load(store(value, to), to); }

bool is_true(const number& value) {
  return value.is_whole ? value.whole != 0 : value.real != 0 || value.imaginary != 0;
}

std::optional<number> calculate(const number& first, std::string_view sign, const number& second, basic common) {
  const bool shift = sign == "<<" || sign == ">>";
  const number a = convert(first, common);
  const number b = shift ? second : convert(second, common);
  switch (common) {
    case basic::float_number: return calculate_real(static_cast<float>(a.real), sign, static_cast<float>(b.real));
    case basic::double_number: return calculate_real(static_cast<double>(a.real), sign, static_cast<double>(b.real));
    case basic::long_double: return calculate_real(a.real, sign, b.real);
    case basic::complex_float: return calculate_complex<float>(a, sign, b);
    case basic::complex_double: return calculate_complex<double>(a, sign, b);
    case basic::complex_long_double: return calculate_complex<long double>(a, sign, b);
    default: break;
  }
  std::optional<number> made = is_unsigned(common)
                                   ? calculate_whole(static_cast<unsigned_wide>(a.whole), sign,
                                                     static_cast<unsigned_wide>(b.whole), false, bits_of(common))
                                   : calculate_whole(a.whole, sign, b.whole, true, bits_of(common));
  const bool compares = sign == "<" || sign == ">" || sign == "<=" || sign == ">=" || sign == "==" || sign == "!=";
  return made && !compares ? convert(*made, common) : made;
}

}  // namespace autoreload::command
