#include "fixedpoint.h"

#include <math.h>
#include <string.h>

int32_t opc_srdhm(int32_t a, int32_t b) {
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    /* |a * b| <= 2^62 - 2^31, so adding 2^30 cannot overflow; the quotient fits int32. */
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

int16_t opc_srdhm16(int16_t a, int16_t b) {
    if (a == INT16_MIN && b == INT16_MIN) {
        return INT16_MAX;
    }
    return (int16_t)(((int32_t)a * b + (1 << 14)) >> 15);
}

int32_t opc_rdbpot(int32_t x, int32_t exponent) {
    const int32_t mask = (int32_t)((UINT32_C(1) << (uint32_t)exponent) - 1U);
    const int32_t remainder = x & mask;
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

int32_t opc_mbqm(int32_t x, opc_multiplier m) {
    const int32_t left = m.shift > 0 ? m.shift : 0;
    const int32_t right = m.shift > 0 ? 0 : -m.shift;
    return opc_rdbpot(opc_srdhm(opc_shift_left(x, left & 31), m.mantissa), right & 31);
}

int32_t opc_mbqm64(int64_t x, opc_multiplier m) {
    const int32_t reduced = m.mantissa < 0x7FFF0000 ? (m.mantissa + (1 << 15)) >> 16 : 0x7FFF;
    const uint32_t total = (uint32_t)(15 - m.shift) & 63U; /* 8 ... 46 */
    /* |x * reduced| < 2^62 under the contract; unsigned, so that a broken contract only makes a wrong number. */
    const uint64_t rounded = (uint64_t)x * (uint64_t)reduced + ((UINT64_C(1) << total) >> 1);
    return (int32_t)((int64_t)rounded >> total);
}

/* A positive float as mantissa * 2^exponent with mantissa in [2^23, 2^24); mantissa 0 for zero. */
static uint32_t split_float(float value, int32_t *exponent) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t mantissa = bits & 0x7FFFFFU;
    int32_t power = (int32_t)((bits >> 23) & 0xFFU);
    if (power == 0) {
        if (mantissa == 0) {
            *exponent = 0;
            return 0;
        }
        power = 1;
    } else {
        mantissa |= 0x800000U;
    }
    for (; mantissa < 0x800000U; mantissa <<= 1) {
        power--;
    }
    *exponent = power - 150;
    return mantissa;
}

/* A 31-bit mantissa in [2^30, 2^31] times 2^(shift - 31) as a multiplier; too small a factor is 0. */
static opc_multiplier multiplier(uint32_t mantissa, int32_t shift) {
    opc_multiplier m = {(int32_t)mantissa, shift};
    if (mantissa >> 31 != 0) {
        m.mantissa = 1 << 30;
        m.shift += 1;
    }
    if (m.shift < -31) {
        m.mantissa = 0;
        m.shift = 0;
    }
    return m;
}

/* floor(dividend / divisor * 2^k) with that k that makes it a number of 32 bits; *power falls by k, *rest is what
 * remains. 2^23 <= divisor < 2^24, 0 < dividend < 2^48. Four digits by 32-bit division: no image needs the 64-bit
 * division of libgcc for it. */
static uint32_t divide(uint64_t dividend, uint32_t divisor, int32_t *power, uint32_t *rest) {
    while ((uint32_t)(dividend >> 24) < divisor) {
        dividend <<= 1;
        *power -= 1;
    }
    uint32_t quotient = 1;
    uint32_t remainder = (uint32_t)(dividend >> 24) - divisor; /* below divisor: the dividend has just got there */
    uint32_t low = (uint32_t)dividend << 8;
    for (uint32_t bits = 7; quotient >> 31 == 0; bits = 8) {
        const uint32_t digits = (remainder << bits) | (low >> (32 - bits)); /* < 2^32 */
        const uint32_t digit = digits / divisor;                            /* < 2^bits */
        remainder = digits - digit * divisor;
        quotient = (quotient << bits) | digit;
        low <<= bits;
    }
    *power -= 7;
    *rest = remainder;
    return quotient;
}

static const opc_multiplier zero_multiplier = {0, 0};

/* The quotient is rounded to 53 bits, half to even, then to 31, half away from zero. With 32 bits and a remainder at
 * hand the first rounding matters only where it reaches the half that the second one rounds up: from 2^-22 below. */
static opc_multiplier quotient_of(uint64_t product, uint32_t divisor, int32_t power) {
    if (product == 0 || divisor == 0) {
        return zero_multiplier;
    }
    uint32_t rest;
    const uint32_t quotient = divide(product, divisor, &power, &rest);
    const bool up = (quotient & 1U) != 0 || divisor - rest <= divisor >> 22;
    return multiplier((quotient >> 1) + (up ? 1U : 0U), power + 32);
}

opc_ratio opc_ratio_of(float a, float c, int32_t exponent) {
    int32_t power_c;
    opc_ratio r;
    r.dividend = split_float(a, &r.power);
    r.divisor = split_float(c, &power_c);
    r.power += exponent - power_c;
    return r;
}

opc_multiplier opc_ratio_times(const opc_ratio *r, float b) {
    int32_t power;
    const uint64_t product = (uint64_t)r->dividend * split_float(b, &power);
    return quotient_of(product, r->divisor, power + r->power);
}

opc_multiplier opc_multiplier_of(float a, float b, float c, int32_t exponent) {
    const opc_ratio r = opc_ratio_of(a, c, exponent);
    return opc_ratio_times(&r, b);
}

opc_multiplier opc_multiplier_of_rounded(float a, float b, float c) {
    int32_t power;
    int32_t power_b;
    uint64_t product = (uint64_t)split_float(a, &power) * split_float(b, &power_b);
    /* product < 2^48 has 47 or 48 bits: round them to 24, half to even. A subnormal product is not rounded further;
     * it would make a factor far below 2^-32 unless c is subnormal, too. */
    const uint32_t drop = product >> 47 != 0 ? 24 : 23;
    const uint64_t half = UINT64_C(1) << (drop - 1);
    const uint64_t odd = (product >> drop) & 1U;
    product = (product + half - 1 + odd) >> drop;
    int32_t power_c;
    const uint32_t divisor = split_float(c, &power_c);
    return quotient_of(product, divisor, power + power_b - power_c + (int32_t)drop);
}

opc_multiplier opc_multiplier_of_double(double d) {
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    const uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1U);
    const int32_t power = (int32_t)((bits >> 52) & 0x7FFU);
    if (power == 0) { /* zero or subnormal: far below 2^-32 */
        return zero_multiplier;
    }
    const uint64_t rounded = (fraction + (UINT64_C(1) << 52) + (UINT64_C(1) << 21)) >> 22;
    return multiplier((uint32_t)rounded, power - 1022);
}

int opc_multiplier_vs_one(opc_multiplier m) {
    const bool one = m.mantissa == (1 << 30) && m.shift == 1;
    return one ? 0 : m.mantissa != 0 && m.shift >= 1 ? 1 : -1;
}

void opc_dtype_range(uint8_t dtype, int32_t *lo, int32_t *hi) {
    switch (dtype) {
        case OPC_INT8:
            *lo = INT8_MIN;
            *hi = INT8_MAX;
            break;
        case OPC_UINT8:
            *lo = 0;
            *hi = UINT8_MAX;
            break;
        case OPC_INT16:
            *lo = INT16_MIN;
            *hi = INT16_MAX;
            break;
        default:
            *lo = INT32_MIN;
            *hi = INT32_MAX;
            break;
    }
}

/* round(limit / scale), half away from zero, where the quotient is first rounded to a float; saturated at 2^20, which
 * is beyond every range that the caller clamps to. In integers, so that no image needs a float library for it. */
static int32_t quantized_limit(uint32_t limit, float scale) {
    int32_t power;
    const uint32_t divisor = split_float(scale, &power);
    if (divisor == 0) {
        return 1 << 20;
    }
    power = -44 - power;
    uint32_t rest;
    const uint32_t quotient = divide((uint64_t)limit << 44, divisor, &power, &rest);
    const uint32_t dropped = ((quotient & 0xFFU) << 1) | (rest != 0 ? 1U : 0U);
    const uint32_t value = (quotient >> 8) + (dropped + ((quotient >> 8) & 1U) > 0x100U ? 1U : 0U);
    /* value is in [2^23, 2^24], times 2^power. */
    power += 8;
    if (power > -4) {
        return 1 << 20;
    }
    return power < -25 ? 0 : (int32_t)((value + (UINT32_C(1) << (uint32_t)(-power - 1))) >> (uint32_t)-power);
}

opc_status opc_activation_range(opc_node *node, const opc_tensor *output, uint8_t activation, int32_t *lo,
                                int32_t *hi) {
    opc_dtype_range(output->dtype, lo, hi);
    /* Far outside every 8- and 16-bit range, and far from overflow. */
    const int32_t zero = opc_clamp(opc_zero_point(output, 0), -(1 << 20), 1 << 20);
    const float scale = opc_scale(output, 0);
    int32_t low = *lo;
    int32_t high = *hi;
    switch (activation) {
        case OPC_ACT_NONE:
            return OPC_OK;
        case OPC_ACT_RELU:
            low = zero;
            break;
        case OPC_ACT_RELU6:
            low = zero;
            high = zero + quantized_limit(6, scale);
            break;
        case OPC_ACT_RELU_N1_TO_1:
            low = zero - quantized_limit(1, scale);
            high = zero + quantized_limit(1, scale);
            break;
        default:
            return OPC_FAIL(node, OPC_UNSUPPORTED, "fused activation");
    }
    *lo = low > *lo ? low : *lo;
    *hi = high < *hi ? high : *hi;
    return OPC_OK;
}

opc_status opc_float_activation_range(opc_node *node, uint8_t activation, float *lo, float *hi) {
    *lo = -HUGE_VALF;
    *hi = HUGE_VALF;
    switch (activation) {
        case OPC_ACT_NONE:
            return OPC_OK;
        case OPC_ACT_RELU:
            *lo = 0.0f;
            return OPC_OK;
        case OPC_ACT_RELU6:
            *lo = 0.0f;
            *hi = 6.0f;
            return OPC_OK;
        case OPC_ACT_RELU_N1_TO_1:
            *lo = -1.0f;
            *hi = 1.0f;
            return OPC_OK;
        default:
            return OPC_FAIL(node, OPC_UNSUPPORTED, "fused activation");
    }
}
