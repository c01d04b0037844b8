/* Rescaling of int32 sums to int8 for many elements: opc_mbqm in fewer instructions, bit for bit the same. */
#ifndef OPCONFORM_KERNEL_SCALE_H
#define OPCONFORM_KERNEL_SCALE_H

#include "fixedpoint.h"
#include "kernel_simd.h"
#include "kernel_util.h"

#ifdef OPC_MVE
#include <arm_mve.h>
#endif

#ifdef OPC_MVE

/* One output channel: what is added to the sum, then mantissa * 2^(left + right - 31), left >= 0 >= right. */
typedef struct opc_lane {
    int32_t base;
    int32_t mantissa;
    int32_t left;
    int32_t right;
} opc_lane;

static inline opc_lane opc_lane_of(opc_multiplier m, int32_t base, int32_t zero) {
    (void)zero;
    const opc_lane lane = {base, m.mantissa, m.shift > 0 ? m.shift : 0, m.shift > 0 ? 0 : m.shift};
    return lane;
}

static inline bool opc_lane_is_quick(const opc_lane *lane) {
    (void)lane;
    return true;
}

/* Four sums, scaled, with the zero point and not clamped. srdhm is one instruction; rdbpot is a shift that rounds
 * halves up, with 1 taken off negative values first, unless nothing is shifted out: then `right` is 0 and has no sign.
 */
OPC_INLINE int32x4_t opc_scale_four(int32x4_t acc, const opc_lane *lanes, int32_t zero) {
    __asm__ volatile("vld40.32 {q0, q1, q2, q3}, [%[p]]\n\t"
                     "vld41.32 {q0, q1, q2, q3}, [%[p]]\n\t"
                     "vld42.32 {q0, q1, q2, q3}, [%[p]]\n\t"
                     "vld43.32 {q0, q1, q2, q3}, [%[p]]\n\t"
                     "vadd.i32 %q[v], %q[v], q0\n\t"
                     "vshl.s32 %q[v], %q[v], q2\n\t"
                     "vqrdmulh.s32 %q[v], %q[v], q1\n\t"
                     "vand q0, %q[v], q3\n\t"
                     "vshr.s32 q0, q0, #31\n\t"
                     "vadd.i32 %q[v], %q[v], q0\n\t"
                     "vrshl.s32 %q[v], %q[v], q3\n\t"
                     "vadd.i32 %q[v], %q[v], %[zero]"
                     : [v] "+w"(acc)
                     : [p] "r"(lanes), [zero] "r"(zero)
                     : "q0", "q1", "q2", "q3", "memory");
    return acc;
}

#else

/* One output channel: what is added to the sum, then the factor. Quick factors have 2 <= -shift <= 22: `shift` is
 * -shift - 1, and `half` is 2^(-shift - 2) with the output's zero point, shifted the same, on top. For the others half
 * is 0 and shift is as in opc_multiplier. */
typedef struct opc_lane {
    int32_t base;
    int32_t mantissa;
    int32_t half;
    int32_t shift;
} opc_lane;

/* -128 <= zero <= 127, so half is at least 2^(right - 2) - 128 * 2^(right - 1): never 0, and below 2^29. */
static inline opc_lane opc_lane_of(opc_multiplier m, int32_t base, int32_t zero) {
    const int32_t right = m.mantissa == 0 ? 2 : -m.shift;
    opc_lane lane = {base, m.mantissa, 0, m.shift};
    if (right >= 2 && right <= 22) {
        lane.half = (1 << (uint32_t)(right - 2)) + zero * (1 << (uint32_t)(right - 1));
        lane.shift = right - 1;
    }
    return lane;
}

static inline bool opc_lane_is_quick(const opc_lane *lane) {
    return lane->half != 0;
}

/* Of a quick lane, before the clamp to int8. srdhm followed by rdbpot is, for s = -shift >= 2 and P = x * mantissa:
 *   floor((floor((P + 2^30) / 2^31) - (P < 0) + 2^(s - 1)) / 2^s) = floor((floor((P +- 2^30) / 2^32) + 2^(s - 2)) /
 * 2^(s - 1)) with + for x >= 0 and - for x < 0: halving both sides leaves the odd bit, which only matters below zero,
 * where it is the difference between the two signs. |P| < 2^62, so the high word is at most 2^30, and half is below
 * 2^29. */
OPC_INLINE int32_t opc_scale_quick(int32_t x, const opc_lane *lane) {
    x = opc_add32(x, lane->base);
    const int32_t sign = x >> 31;
    const uint64_t nudge = ((uint64_t)(uint32_t)sign << 32) | (UINT32_C(0x40000000) ^ ((uint32_t)sign << 31));
    const uint64_t sum = (uint64_t)((int64_t)x * lane->mantissa) + nudge;
    int32_t y = ((int32_t)(sum >> 32) + lane->half) >> lane->shift;
    OPC_SATURATE_8(y, y);
    return y;
}

/* Of any lane, clamped too. */
int32_t opc_scale_any(int32_t x, const opc_lane *lane, int32_t zero);

#endif

/* The clamp of an activation, once all outputs are there; nothing to do for [-128, 127]. */
void opc_clamp_s8(int8_t *y, uint32_t count, int32_t lo, int32_t hi);

#endif
