#include "fixedpoint.h"

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
    const int32_t total = 15 - m.shift; /* 8 ... 46 */
    const int64_t rounded = x * reduced + (INT64_C(1) << (total - 1));
    return (int32_t)(rounded >> total);
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

/* A 53-bit mantissa in [2^52, 2^53] times 2^exponent, rounded half away from zero to 31 bits. */
static opc_multiplier round_to_31_bits(uint64_t mantissa, int32_t exponent) {
    const uint64_t rounded = (mantissa + (UINT64_C(1) << 21)) >> 22;
    opc_multiplier m = {(int32_t)(rounded & 0x7FFFFFFFU), exponent + 53};
    if (rounded >> 31 != 0) {
        m.mantissa = (int32_t)(rounded >> 1);
        m.shift += 1;
    }
    if (m.shift < -31) {
        m.mantissa = 0;
        m.shift = 0;
    }
    return m;
}

opc_multiplier opc_multiplier_of(float a, float b, float c, int32_t exponent) {
    int32_t power_a;
    int32_t power_b;
    int32_t power_c;
    const uint64_t product = (uint64_t)split_float(a, &power_a) * split_float(b, &power_b);
    const uint32_t divisor = split_float(c, &power_c);
    if (product == 0 || divisor == 0) {
        const opc_multiplier zero = {0, 0};
        return zero;
    }
    /* product < 2^48, divisor in [2^23, 2^24): long division until the quotient has 53 bits, i.e. reaches 2^52. */
    uint64_t quotient = product / divisor; /* < 2^25 */
    uint32_t remainder = (uint32_t)(product - quotient * divisor);
    int32_t power = exponent + power_a + power_b - power_c;
    for (; quotient < (UINT64_C(1) << 52); power--) {
        remainder <<= 1; /* < 2^25 */
        const uint32_t bit = remainder >= divisor ? 1U : 0U;
        remainder -= bit * divisor;
        quotient = (quotient << 1) | bit;
    }
    const uint32_t twice = remainder << 1;
    quotient += twice > divisor || (twice == divisor && (quotient & 1U) != 0) ? 1U : 0U;
    return round_to_31_bits(quotient, power);
}

opc_multiplier opc_multiplier_of_double(double d) {
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    const uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1U);
    const int32_t power = (int32_t)((bits >> 52) & 0x7FFU);
    if (power == 0) { /* zero or subnormal: far below 2^-32 */
        const opc_multiplier zero = {0, 0};
        return zero;
    }
    return round_to_31_bits(fraction | (UINT64_C(1) << 52), power - 1075);
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

/* round(limit / scale) with the quotient in float32, half away from zero, saturated to +-2^20: beyond every range here. */
static int32_t quantized_limit(int32_t limit, float scale) {
    const float quotient = (float)limit / scale;
    if (quotient >= 1048576.0f) {
        return 1 << 20;
    }
    return (int32_t)(quotient + 0.5f) - ((float)(int32_t)(quotient + 0.5f) - quotient > 0.5f ? 1 : 0);
}
