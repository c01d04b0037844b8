#include "kernel_real.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernel_fixed.h"

/* All polynomials are Chebyshev fits in Q1.30, lowest power first, with relative errors below 2^-31. */

static const uint32_t sign_bit = 0x80000000U;
static const uint32_t infinity = 0x7F800000U;
static const uint32_t no_number = 0x7FC00000U;

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The mantissa in [2^23, 2^24) and the exponent of a normal number: |x| = mantissa * 2^exponent. Denormals count as
 * 2^-127 to 2^-126: their results are 0 all the same. */
static uint32_t split(uint32_t bits, int32_t *exponent) {
    *exponent = (int32_t)((bits >> 23) & 0xFFU) - 150;
    return (bits & 0x7FFFFFU) | 0x800000U;
}

/* value * 2^exponent with the sign of `sign`, rounded to nearest. */
static float rounded(uint64_t value, int32_t exponent, uint32_t sign) {
    uint32_t high = (uint32_t)(value >> 32);
    uint32_t low = (uint32_t)value;
    if (high == 0) {
        high = low;
        low = 0;
        exponent -= 32;
    }
    const int32_t zeros = opc_leading_zeros(high);
    const int32_t biased = exponent + 63 - zeros + 127;
    if (high == 0 || biased <= 0) {
        return float_of(sign);
    }
    if (biased >= 255) {
        return float_of(sign | infinity);
    }
    const uint32_t top = high << (uint32_t)zeros | low >> 1 >> (31U - (uint32_t)zeros);
    const uint32_t mantissa = (top >> 8) + (top >> 7 & 1U); /* a carry makes the next binade */
    return float_of(sign | ((((uint32_t)biased - 1U) << 23) + mantissa));
}

/* In Q1.30 of x in Q0.32, |x| <= 1/2. */
static int32_t polynomial(const int32_t *c, uint32_t count, int32_t x) {
    int32_t sum = 0;
    for (uint32_t i = count; i-- > 0;) {
        sum = c[i] + (int32_t)(((int64_t)sum * x) >> 32);
    }
    return sum;
}

/* (exp(r) - 1) / r in Q1.30 of r in Q0.32. */
static int32_t exp_slope(int32_t r) {
    static const int32_t c[7] = {1073741824, 536870917, 178956972, 44738906, 8947795, 1496915, 213756};
    return polynomial(c, 7, r);
}

enum { NEXT_TO_ZERO = 0x31800000, BEYOND_EXP = 0x43000000, BEYOND_ELU = 0x41A00000 }; /* 2^-28, 128, 20 */

/* exp(x) = value * 2^(*power - 62) for 2^-28 <= |x| < 128: r = x - power * ln(2) in Q0.32, |r| <= 0.36. */
static uint64_t exp_of(uint32_t bits, int32_t *power) {
    int32_t exponent;
    const uint32_t mantissa = split(bits, &exponent); /* -51 <= exponent <= -17 */
    const uint32_t fine =
        exponent >= -32 ? mantissa << (uint32_t)(exponent + 32) : mantissa >> (uint32_t)(-exponent - 32);
    const int32_t coarse = exponent >= -33 ? (int32_t)(mantissa >> (uint32_t)(-exponent - 10)) : 0; /* Q7.10 */
    const bool negative = bits >> 31 != 0;
    const int32_t per_ln2 = 2955;                                                  /* 2^11 / ln(2) */
    const int32_t k = ((negative ? -coarse : coarse) * per_ln2 + (1 << 20)) >> 21; /* |k| <= 185 */
    const uint32_t ln2 = 2977044472U;                                              /* Q0.32, 46 / 256 too much */
    const uint32_t r = (negative ? 0U - fine : fine) - (uint32_t)k * ln2 + (uint32_t)((k * 46) >> 8);
    *power = k;
    return (uint64_t)((INT64_C(1) << 62) + (int64_t)(int32_t)r * exp_slope((int32_t)r));
}

float opc_exp(float x) {
    const uint32_t bits = bits_of(x);
    const uint32_t magnitude = bits & ~sign_bit;
    int32_t power;
    if (magnitude >= BEYOND_EXP) { /* also infinities and what is no number */
        return magnitude > infinity ? x : bits >> 31 != 0 ? 0.0f : float_of(infinity);
    }
    if (magnitude < NEXT_TO_ZERO) {
        return 1.0f;
    }
    const uint64_t value = exp_of(bits, &power);
    return rounded(value, power - 62, 0);
}

float opc_elu(float x) {
    const uint32_t bits = bits_of(x);
    const uint32_t magnitude = bits & ~sign_bit;
    int32_t power;
    if (bits >> 31 == 0 || magnitude > infinity || magnitude < NEXT_TO_ZERO) {
        return x;
    }
    if (magnitude >= BEYOND_ELU) {
        return -1.0f;
    }
    const uint64_t value = exp_of(bits, &power);
    if (power == 0) { /* from the exact x, since the difference from 1 has lost its low bits */
        int32_t exponent;
        const uint64_t mantissa = split(bits, &exponent);
        const uint32_t r = exponent >= -32 ? (uint32_t)mantissa << (uint32_t)(exponent + 32)
                                           : (uint32_t)mantissa >> (uint32_t)(-exponent - 32);
        return rounded(mantissa * (uint32_t)exp_slope(-(int32_t)r), exponent - 30, sign_bit);
    }
    return rounded((UINT64_C(1) << 62) - (value >> (uint32_t)-power), -62, sign_bit);
}

float opc_tanh(float x) {
    const uint32_t bits = bits_of(x);
    const float below = opc_elu(2.0f * float_of(bits | sign_bit)); /* exp(-2 |x|) - 1 */
    const float y = -below / (below + 2.0f);
    return float_of(bits_of(y) | (bits & sign_bit));
}

/* x = 2^power * (1 + t), where 1 + t lies around 1; ln(x) = power * ln(2) + t * slope(t). */
float opc_log(float x) {
    static const int32_t c[13] = {1073741824, -536870912, 357913952,  -268435394, 214747084,  -178959870, 153448399,
                                  -134192482, 118166057,  -106526617, 107715655,  -106387454, 57691856};
    const int64_t ln2 = INT64_C(24973259072661437); /* Q8.55 */
    const uint32_t bits = bits_of(x);
    if ((bits & ~sign_bit) == 0) {
        return float_of(sign_bit | infinity);
    }
    if (bits >= infinity) { /* also all that are negative */
        return bits == infinity ? x : float_of(no_number);
    }
    const int32_t missing = bits < 0x00800000U ? opc_leading_zeros(bits) - 8 : 0; /* of a denormal's mantissa */
    const uint32_t mantissa = missing > 0 ? bits << (uint32_t)missing : (bits & 0x7FFFFFU) | 0x800000U;
    int32_t power = missing > 0 ? -126 - missing : (int32_t)(bits >> 23) - 127;
    const bool above = mantissa > 11863283U; /* 2^23 * sqrt(2) */
    power += above ? 1 : 0;
    const int32_t t = ((int32_t)mantissa - (above ? 1 << 24 : 1 << 23)) * (above ? 1 << 8 : 1 << 9); /* Q0.32 */
    const int64_t value = ((t * (int64_t)polynomial(c, 13, t)) >> 7) + power * ln2;
    return rounded((uint64_t)(value < 0 ? -value : value), -55, value < 0 ? sign_bit : 0);
}

/* An angle in quarters of a turn: n + f with |f| <= 1/2. */
typedef struct angle {
    uint32_t n;        /* modulo 4 */
    uint32_t sign;     /* of f */
    uint32_t mantissa; /* |f| = mantissa * 2^exponent, with the top bit set */
    int32_t exponent;
} angle;

static uint32_t word_at(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* x * 2 / pi of a positive number x = mantissa * 2^exponent from 1/2 up, in Q8.56 modulo 2^8: the part of 2 / pi that
 * matters are the 96 bits from the one that is worth a few units. Floats keep 2^-30 away from multiples of pi / 2. */
static uint64_t quarters(uint32_t mantissa, int32_t exponent) {
    static const uint8_t two_over_pi[28] = {0,    0,    0,    0,    0xA2, 0xF9, 0x83, 0x6E, 0x4E, 0x44,
                                            0x15, 0x29, 0xFC, 0x27, 0x57, 0xD1, 0xF5, 0x34, 0xDD, 0xC0,
                                            0xDB, 0x62, 0x95, 0x99, 0x3C, 0x43, 0x90, 0x41};
    const uint32_t place = (uint32_t)(exponent + 24); /* 0 ... 128 */
    const uint8_t *p = two_over_pi + place / 8U;
    const uint64_t m = (uint64_t)mantissa << (place & 7U); /* < 2^31 */
    return (m * word_at(p) << 32) + m * word_at(p + 4) + (m * word_at(p + 8) >> 32);
}

static angle angle_of(uint32_t bits) {
    angle a = {0, 0, 0, 0};
    int32_t exponent;
    const uint32_t mantissa = split(bits, &exponent);
    uint64_t f = (uint64_t)mantissa * 0xA2F9836EU; /* 2 / pi in Q0.32 */
    a.exponent = exponent - 32;
    if (exponent >= -24) {
        f = quarters(mantissa, exponent);
        a.exponent = -56;
        a.n = (uint32_t)((f + (UINT64_C(1) << 55)) >> 56);
        f -= (uint64_t)a.n << 56;
        if (f >> 63 != 0) {
            a.sign = sign_bit;
            f = 0U - f;
        }
    }
    for (; f >> 32 == 0 && f != 0; f <<= 16) {
        a.exponent -= 16;
    }
    const int32_t zeros = opc_leading_zeros((uint32_t)(f >> 32));
    a.mantissa = (uint32_t)(f << ((uint32_t)zeros & 31U) >> 32);
    a.exponent += 32 - zeros;
    return a;
}

/* The sine of an angle that is `ahead` quarters of a turn in front of the positive number with these bits. */
static float sine(uint32_t bits, uint32_t ahead, uint32_t sign) {
    static const int32_t odd[5] = {1686629713, -693598667, 85569259, -5026471, 169873};
    static const int32_t even[6] = {1073741824, -1324675879, 272375559, -22401978, 986942, -26684};
    if (bits >= infinity) {
        return float_of(no_number);
    }
    const angle a = angle_of(bits);
    const uint32_t n = a.n + ahead;
    const uint32_t shift = (uint32_t)(-a.exponent - 32); /* to Q0.32 */
    const uint64_t f = shift < 32 ? a.mantissa >> shift : 0;
    const int32_t square = (int32_t)(f * f >> 32); /* <= 1/4 */
    sign ^= (n & 2U) << 30;
    if ((n & 1U) != 0) {
        return rounded((uint32_t)polynomial(even, 6, square), -30, sign);
    }
    return rounded((uint64_t)a.mantissa * (uint32_t)polynomial(odd, 5, square), a.exponent - 30, sign ^ a.sign);
}

float opc_sin(float x) {
    return sine(bits_of(x) & ~sign_bit, 0, bits_of(x) & sign_bit);
}

float opc_cos(float x) {
    return sine(bits_of(x) & ~sign_bit, 1, 0);
}
