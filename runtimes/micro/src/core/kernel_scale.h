/* Rescaling of int32 sums to int8 for many elements: opc_mbqm in fewer instructions, bit for bit the same. */
#ifndef OPCONFORM_KERNEL_SCALE_H
#define OPCONFORM_KERNEL_SCALE_H

#include "fixedpoint.h"
#include "kernel_util.h"

/* One output channel: what is added to the sum, then the factor. Quick factors are those below 1/4 (shift <= -2):
 * `half` is 2^(-shift - 2) and `shift` is -shift - 1. For the others half is 0 and shift is as in opc_multiplier. */
typedef struct opc_lane {
    int32_t base;
    int32_t mantissa;
    int32_t half;
    int32_t shift;
} opc_lane;

static inline opc_lane opc_lane_of(opc_multiplier m, int32_t base) {
    if (m.mantissa == 0) {
        m.shift = -2;
    }
    const int32_t right = -m.shift;
    const opc_lane slow = {base, m.mantissa, 0, m.shift};
    const opc_lane quick = {base, m.mantissa, right < 2 ? 0 : 1 << (uint32_t)(right - 2), right - 1};
    return right < 2 ? slow : quick;
}

/* srdhm followed by rdbpot is, for s = -shift >= 2 and P = x * mantissa, |P| < 2^62:
 *   floor((floor((P + 2^30) / 2^31) - (P < 0) + 2^(s - 1)) / 2^s) = floor((floor((P +- 2^30) / 2^32) + 2^(s - 2)) /
 * 2^(s - 1)) with + for x >= 0 and - for x < 0: halving both sides leaves the odd bit, which only matters below zero,
 * where it is the difference between the two signs. The high word is at most 2^30, and half is at most 2^29. */
static inline int32_t opc_scale_quick(int32_t x, const opc_lane *lane) {
    const int32_t sign = x >> 31;
    const uint64_t nudge = ((uint64_t)(uint32_t)sign << 32) | (UINT32_C(0x40000000) ^ ((uint32_t)sign << 31));
    const uint64_t sum = (uint64_t)((int64_t)x * lane->mantissa) + nudge;
    return ((int32_t)(sum >> 32) + lane->half) >> lane->shift;
}

static inline int32_t opc_scale_any(int32_t x, const opc_lane *lane) {
    const opc_multiplier m = {lane->mantissa, lane->shift};
    return lane->half != 0 ? opc_scale_quick(x, lane) : opc_mbqm(x, m);
}

#endif
