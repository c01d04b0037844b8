#include "soft_dot.h"

#ifdef OPC_HAS_SOFT_DOT

#include "kernel_fixed.h"

#define INFINITE 0x7F800000U

opc_part opc_part_of(uint32_t bits) {
    const uint32_t fraction = bits << 9;
    const uint32_t exponent = (bits >> 23) & 0xFFU;
    opc_part part = {(fraction >> 1) | 0x80000000U, (int16_t)exponent, (int16_t)((int32_t)bits >> 31)};
    if (exponent == 0) {
        const int32_t zeros = opc_leading_zeros(fraction);
        part.mantissa = fraction << ((uint32_t)zeros & 31U);
        part.exponent = (int16_t)(fraction == 0 ? OPC_PART_NONE : -zeros);
    }
    return part;
}

opc_part opc_part_of_int(int32_t value) {
    const uint32_t magnitude = value < 0 ? 0U - (uint32_t)value : (uint32_t)value;
    const int32_t zeros = opc_leading_zeros(magnitude);
    const opc_part part = {magnitude << ((uint32_t)zeros & 31U),
                           (int16_t)(magnitude == 0 ? OPC_PART_NONE : 158 - zeros), (int16_t)(value >> 31)};
    return part;
}

/* a * b >> 32 */
static inline uint32_t high_word(uint32_t a, uint32_t b) {
#ifdef __ARM_ARCH_6M__
    const uint32_t a0 = a & 0xFFFFU;
    const uint32_t b0 = b & 0xFFFFU;
    const uint32_t middle = (a >> 16) * b0 + ((a0 * b0) >> 16); /* <= (2^16 - 1) * 2^16 */
    const uint32_t other = a0 * (b >> 16) + (middle & 0xFFFFU);
    return (a >> 16) * (b >> 16) + (middle >> 16) + (other >> 16);
#else
    return (uint32_t)(((uint64_t)a * b) >> 32);
#endif
}

/* Give the sum a larger exponent. */
static void lift(opc_soft *s, int32_t exponent) {
    const int32_t by = exponent - s->exponent;
    s->sum = by > 63 ? 0 : s->sum >> by;
    s->exponent = exponent;
}

/* Plus or minus infinity, or NaN; a is special, b perhaps. */
static uint32_t special_product(opc_part a, opc_part b) {
    const bool nan = a.mantissa != 0x80000000U || b.exponent == OPC_PART_NONE ||
                     (opc_part_is_special(b) && b.mantissa != 0x80000000U);
    return nan ? 4 : a.sign == b.sign ? 1 : 2;
}

void opc_soft_add(opc_soft *s, opc_part a, opc_part b) {
    if (opc_part_is_special(a)) {
        s->special |= special_product(a, b);
        return;
    }
    if (opc_part_is_special(b)) {
        s->special |= special_product(b, a);
        return;
    }
    const int32_t exponent = a.exponent + b.exponent;
    if (exponent > s->exponent) {
        lift(s, exponent);
    }
    const int32_t down = s->exponent - exponent;
    const int64_t product = down > 31 ? 0 : (int64_t)(high_word(a.mantissa, b.mantissa) >> down);
    s->sum += a.sign == b.sign ? product : -product; /* |sum| < 2^32 * terms */
}

void opc_soft_add_all(opc_soft *s, const opc_part *x, const uint32_t *w, uint32_t n) {
    int64_t sum = s->sum;
    int32_t exponent = s->exponent;
    for (const uint32_t *const end = w + n; w != end; x++) {
        const uint32_t bits = *w++;
        const uint32_t magnitude = bits << 1;
        if (magnitude == 0) {
            continue;
        }
        int32_t down = exponent - x->exponent - (int32_t)(magnitude >> 24);
        if ((uint32_t)down > 31U) {
            if (down > 0) {
                continue;
            }
            sum = down < -63 ? 0 : sum >> -down;
            exponent -= down;
            down = 0;
        }
        const uint32_t product = high_word(x->mantissa, (bits << 8) | 0x80000000U) >> down;
        const int32_t minus = x->sign ^ ((int32_t)bits >> 31);
        sum += (int64_t)((uint64_t)product ^ (uint64_t)(int64_t)minus) - minus;
    }
    s->sum = sum;
    s->exponent = exponent;
}

void opc_soft_start(opc_soft *s, uint32_t bits) {
    const opc_part part = opc_part_of(bits);
    const opc_part one = {0x80000000U, 127, 0};
    const int32_t half = (int32_t)(part.mantissa >> 1); /* as the product with 1 */
    s->exponent = part.exponent + 127;
    s->sum = part.sign != 0 ? -half : half;
    s->special = opc_part_is_special(part) ? special_product(part, one) : 0;
}

uint32_t opc_soft_round(const opc_soft *s) {
    if (s->special != 0) {
        return s->special == 1 ? INFINITE : s->special == 2 ? 0x80000000U | INFINITE : INFINITE | 0x400000U;
    }
    if (s->sum == 0) {
        return 0;
    }
    const uint32_t sign = s->sum < 0 ? 0x80000000U : 0;
    uint64_t magnitude = s->sum < 0 ? 0U - (uint64_t)s->sum : (uint64_t)s->sum;
    const uint32_t high = (uint32_t)(magnitude >> 32);
    const int32_t zeros = high != 0 ? opc_leading_zeros(high) : 32 + opc_leading_zeros((uint32_t)magnitude);
    int32_t exponent = 63 - zeros + s->exponent - 157; /* as stored */
    magnitude <<= zeros;                               /* its top bit is set */
    uint32_t word = (uint32_t)(magnitude >> 32) | ((uint32_t)magnitude != 0 ? 1U : 0U);
    if (exponent <= 0) { /* subnormal */
        const int32_t by = 1 - exponent > 31 ? 31 : 1 - exponent;
        word = (word >> by) | ((word << (32 - by)) != 0 ? 1U : 0U);
        exponent = 0;
    }
    /* The implicit bit of a normal number adds 1 to the exponent, and so may rounding. */
    const uint32_t kept = word >> 8;
    const uint32_t rest = word & 0xFFU;
    const uint32_t up = rest > 0x80U || (rest == 0x80U && (kept & 1U) != 0) ? 1U : 0U;
    if (exponent > 254) {
        return sign | INFINITE;
    }
    const uint32_t result = (((uint32_t)(exponent > 0 ? exponent - 1 : 0) << 23) + kept) + up;
    return sign | (result > INFINITE ? INFINITE : result);
}

#endif
