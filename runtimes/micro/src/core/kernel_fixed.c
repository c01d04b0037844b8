#include "kernel_fixed.h"

int32_t opc_leading_zeros(uint32_t x) {
#if defined(__GNUC__)
    return x == 0 ? 32 : __builtin_clz(x);
#else
    int32_t zeros = 32;
    for (; x != 0; x >>= 1) {
        zeros--;
    }
    return zeros;
#endif
}

/* x * 2^e, saturated; 0 < e < 31. Saturates one step early at the negative end, as gemmlowp does. */
static int32_t saturating_shift(int32_t x, int32_t e) {
    const int32_t limit = (1 << (31 - e)) - 1;
    return x > limit ? INT32_MAX : x < -limit ? INT32_MIN : opc_shift_left(x, e);
}

static int32_t add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}
static int32_t subtract(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

/* exp(a) for -1/4 <= a < 0, all Q0.31: Taylor around -1/8 up to the fourth power. */
static int32_t exp_last_quarter(int32_t a) {
    const int32_t exp_minus_eighth = 1895147668;
    const int32_t third = 715827883;
    const int32_t x = add(a, 1 << 28);
    const int32_t x2 = opc_srdhm(x, x);
    const int32_t x3 = opc_srdhm(x2, x);
    const int32_t x4_over_4 = opc_rdbpot(opc_srdhm(x2, x2), 2);
    const int32_t tail = opc_rdbpot(add(opc_srdhm(add(x4_over_4, x3), third), x2), 1);
    return add(exp_minus_eighth, opc_srdhm(exp_minus_eighth, add(x, tail)));
}

int32_t opc_fx_exp(int32_t a, int32_t bits) {
    /* exp(-2^k) in Q0.31 for k = -2 ... 4 */
    static const int32_t powers[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    if (a == 0) {
        return INT32_MAX;
    }
    const int32_t fraction = 31 - bits;
    const int32_t quarter = 1 << (fraction - 2);
    const int32_t rest = (a & (quarter - 1)) - quarter; /* in [-1/4, 0) */
    const uint32_t whole = (uint32_t)subtract(rest, a);
    int32_t result = exp_last_quarter(bits == 0 ? rest : saturating_shift(rest, bits));
    for (int32_t k = 0; k < bits + 2; k++) {
        if (((whole >> (uint32_t)(fraction - 2 + k)) & 1U) != 0) {
            result = opc_srdhm(result, powers[k]);
        }
    }
    return result;
}

/* 2 / (1 + a) in Q2.29, three Newton steps from the usual linear start. 0 <= a in Q0.31. */
static int32_t twice_reciprocal(int32_t a) {
    const int32_t half_denominator = (int32_t)(((uint32_t)a + 0x80000000U) >> 1);
    int32_t x = add(1515870810, opc_srdhm(half_denominator, -1010580540)); /* 48/17 - 32/17 * d */
    for (int i = 0; i < 3; i++) {
        const int32_t error = subtract(1 << 29, opc_srdhm(half_denominator, x));
        x = add(x, saturating_shift(opc_srdhm(x, error), 2));
    }
    return x;
}

int32_t opc_fx_one_over_one_plus(int32_t a) {
    return saturating_shift(twice_reciprocal(a), 1);
}

/* -|a| without overflow. */
static int32_t minus_magnitude(int32_t a) {
    return a > 0 ? -a : a;
}

int32_t opc_fx_logistic(int32_t a) {
    if (a == 0) {
        return 1 << 30;
    }
    const int32_t positive = opc_fx_one_over_one_plus(opc_fx_exp(minus_magnitude(a), 4));
    return a > 0 ? positive : INT32_MAX - positive;
}

int32_t opc_fx_tanh(int32_t a) {
    if (a == 0) {
        return 0;
    }
    /* tanh |a| = (1 - e) / (1 + e) with e = exp(-2 |a|): the same bits read with one more integer bit */
    const int32_t e = opc_fx_exp(minus_magnitude(a), 5);
    const int32_t t = saturating_shift(subtract(twice_reciprocal(e), 1 << 29), 2);
    return a < 0 ? subtract(0, t) : t;
}

int32_t opc_fx_reciprocal(uint32_t x, int32_t integer_bits, int32_t *bits) {
    const int32_t zeros = opc_leading_zeros(x);
    *bits = integer_bits - zeros;
    /* x is normalised to [2^31, 2^32); below zero here only for x = 0, which callers exclude */
    return opc_fx_one_over_one_plus((int32_t)((x << ((uint32_t)zeros & 31U)) & 0x7FFFFFFFU));
}

opc_multiplier opc_fx_inverse_sqrt(int32_t x) {
    opc_multiplier result = {INT32_MAX, 0};
    if (x <= 1) {
        return result;
    }
    int32_t shift = 11;
    for (; x >= (1 << 29); x /= 4) {
        shift++;
    }
    const int32_t pairs = (opc_leading_zeros((uint32_t)x) - 1) / 2 - 1;
    shift -= pairs;
    const int32_t scaled = opc_shift_left(x, 2 * pairs) >> 1; /* [2^26, 2^28), Q3.28 */
    const int32_t half = opc_rdbpot(scaled, 1);
    const int32_t three_halves = (1 << 28) + (1 << 27);
    int32_t root = 1 << 28;
    for (int i = 0; i < 5; i++) {
        const int32_t cube = saturating_shift(opc_srdhm(opc_srdhm(root, root), root), 6);
        root = saturating_shift(subtract(opc_srdhm(three_halves, root), opc_srdhm(half, cube)), 3);
    }
    result.mantissa = opc_srdhm(root, 1518500250); /* sqrt(2) / 2 */
    if (shift < 0) {
        result.mantissa = opc_shift_left(result.mantissa, -shift);
        shift = 0;
    }
    result.shift = -shift;
    return result;
}

int32_t opc_fx_radius(int32_t bits, int32_t left_shift) {
    const int32_t largest = (int32_t)(((UINT32_C(1) << (uint32_t)bits) - 1U) << (uint32_t)(31 - bits));
    return left_shift <= 0 ? largest : left_shift > 31 ? 0 : largest >> left_shift;
}

int32_t opc_mbqm_any(int32_t x, opc_multiplier m) {
    if (m.shift < -31) {
        return 0; /* |x * m| < 2^31 / 2^32 */
    }
    const int32_t sign = x < 0 ? INT32_MIN : INT32_MAX;
    if (m.shift <= 0) {
        return opc_mbqm(x, m);
    }
    const int32_t limit = m.shift > 30 ? 0 : INT32_MAX >> m.shift;
    return x == 0 ? 0 : x > limit || x < -limit ? sign : opc_mbqm(x, m);
}
