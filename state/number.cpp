// SPDX-License-Identifier: MIT
// number: bits are taken one byte after the other, lowest first: the carrier runs on little-endian machines only.
#include "state/number.hpp"

#include <cmath>
#include <cstring>

namespace autoreload::state {

namespace {

constexpr std::uint64_t mask(std::uint64_t bits) {
  return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

std::uint64_t width(const number_format& f) { return f.bit_size != 0 ? f.bit_size : f.size * 8; }

std::uint64_t read_bits(const std::byte* from, std::uint64_t bit, std::uint64_t bits) {
  std::uint64_t value = 0;
  for (std::uint64_t done = 0; done < bits;) {
    const std::uint64_t at = bit + done;
    const auto byte = std::to_integer<std::uint64_t>(from[at / 8]) >> at % 8;
    value |= byte << done;
    done += 8 - at % 8;
  }
  return value & mask(bits);
}

void write_bits(std::uint64_t value, std::byte* to, std::uint64_t bit, std::uint64_t bits) {
  for (std::uint64_t done = 0; done < bits;) {
    const std::uint64_t at = bit + done;
    const std::uint64_t room = 8 - at % 8;
    const std::uint64_t taken = bits - done < room ? bits - done : room;
    const std::uint64_t here = mask(taken) << at % 8;
    const std::uint64_t old = std::to_integer<std::uint64_t>(to[at / 8]) & ~here;
    to[at / 8] = static_cast<std::byte>(old | ((value >> done << at % 8) & here));
    done += taken;
  }
}

long double read_real(const std::byte* from, std::uint64_t size) {
  if (size == sizeof(float)) {
    float value = 0;
    std::memcpy(&value, from, sizeof value);
    return static_cast<long double>(value);
  }
  if (size == sizeof(double)) {
    double value = 0;
    std::memcpy(&value, from, sizeof value);
    return static_cast<long double>(value);
  }
  long double value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class Real>
bool write_real_as(long double value, std::byte* to) {
  const auto made = static_cast<Real>(value);
  if (std::isinf(made) && !std::isinf(value)) return false;
  std::memcpy(to, &made, sizeof made);
  return true;
}

bool write_real(long double value, std::byte* to, std::uint64_t size) {
  if (size == sizeof(float)) return write_real_as<float>(value, to);
  if (size == sizeof(double)) return write_real_as<double>(value, to);
  return write_real_as<long double>(value, to);
}

}  // namespace

bool number::operator==(const number& other) const {
  if (floating != other.floating) return false;
  return floating ? real == other.real || (std::isnan(real) && std::isnan(other.real))
                  : negative == other.negative && magnitude == other.magnitude;
}

bool is_readable(const number_format& f) {
  switch (f.encoding) {
    case types::encoding::floating:
      return f.bit_size == 0 && (f.size == sizeof(float) || f.size == sizeof(double) || f.size == sizeof(long double));
    case types::encoding::boolean:
    case types::encoding::signed_integer:
    case types::encoding::unsigned_integer: return f.size != 0 && f.size <= 8 && f.bit < 8 && f.bit_size <= f.size * 8;
    default: return false;
  }
}

number number_of(std::uint64_t bits, const number_format& f) {
  number made;
  const std::uint64_t wide = width(f);
  made.magnitude = bits & mask(wide);
  if (f.encoding == types::encoding::signed_integer && (made.magnitude >> (wide - 1) & 1) != 0) {
    made.negative = true;
    made.magnitude = (~made.magnitude + 1) & mask(wide);
  }
  return made;
}

number read_number(const std::byte* from, const number_format& f) {
  if (f.encoding == types::encoding::floating) return {.floating = true, .real = read_real(from, f.size)};
  return number_of(read_bits(from, f.bit_size != 0 ? f.bit : 0, width(f)), f);
}

bool write_number(const number& value, std::byte* to, const number_format& f) {
  if (f.encoding == types::encoding::floating) {
    const auto whole = static_cast<long double>(value.magnitude);
    return write_real(value.floating ? value.real : value.negative ? -whole : whole, to, f.size);
  }
  number whole = value;
  if (value.floating) {
    if (!std::isfinite(value.real) || std::fabs(value.real) >= 18446744073709551616.0L) return false;
    whole = {.negative = value.real <= -1, .magnitude = static_cast<std::uint64_t>(std::fabs(value.real))};
  }
  const std::uint64_t wide = width(f);
  if (f.encoding == types::encoding::boolean) {
    whole = {.magnitude = whole.magnitude != 0 || (value.floating && value.real != 0) ? 1U : 0U};
  } else if (f.encoding == types::encoding::signed_integer) {
    if (whole.magnitude > mask(wide - 1) + (whole.negative ? 1 : 0)) return false;
  } else if (whole.negative || whole.magnitude > mask(wide)) {
    return false;
  }
  const std::uint64_t bits = whole.negative ? ~whole.magnitude + 1 : whole.magnitude;
  write_bits(bits, to, f.bit_size != 0 ? f.bit : 0, wide);
  return true;
}

}  // namespace autoreload::state
