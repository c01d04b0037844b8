#include "kernel_depthwise_unit.h"

#if defined(OPC_LONG)

/* A unit of inputs times a unit of weights is x0 * w0 + (x0 * w1 + x1 * w0) * 2^21 + x1 * w1 * 2^42: both channels'
 * products in one multiplication. |x * w| < 2^15, so the lower two sums stay below 2^20 for 16 taps. */
enum { MOST_TAPS = 16 };

void opc_units_load(opc_unit *to, const int8_t *x, uint32_t count, uint32_t step, uint32_t lanes, int32_t zero) {
    const int8_t *second = x + (lanes > 1 ? 1 : 0);
    const int32_t off = zero * ((1 << 21) + 1);
    for (; count != 0; count--, x += step, second += step) {
        *to++ = *x + *second * (1 << 21) - off;
    }
}

/* Sums start so that no lower part is negative. */
static const int64_t start = (INT64_C(1) << 20) + (INT64_C(1) << 41);

OPC_INLINE int64_t add_three(int64_t sum, const opc_unit **x, const opc_unit **w) {
    __asm__("ldm %[x]!, {r8, r9, r10}\n\t"
            "ldm %[w]!, {r4, r5, r6}\n\t"
            "smlal %Q[s], %R[s], r8, r4\n\t"
            "smlal %Q[s], %R[s], r9, r5\n\t"
            "smlal %Q[s], %R[s], r10, r6"
            : [s] "+r"(sum), [x] "+r"(*x), [w] "+r"(*w)
            :
            : "r4", "r5", "r6", "r8", "r9", "r10", "memory");
    return sum;
}

OPC_INLINE void split(int64_t sum, int32_t *acc) {
    acc[0] = (int32_t)((uint32_t)sum & ((1U << 21) - 1U)) - (1 << 20);
    acc[1] = (int32_t)(sum >> 32) >> 10;
}

/* A window of any size: pieces of rows, and what they sum up to is set aside before it could overflow. */
static OPC_APART void any_window(const opc_depthwise *d, uint32_t column, int32_t *acc) {
    const uint32_t step = (uint32_t)d->window.x.dilation;
    const opc_unit *w = d->weights;
    acc[0] = 0;
    acc[1] = 0;
    for (int32_t fy = 0; fy < d->window.y.size; fy++) {
        const opc_unit *x = d->rows[fy] + column;
        for (uint32_t left = (uint32_t)d->window.x.size, n; left != 0; left -= n) {
            int32_t more[OPC_UNIT_CHANNELS];
            int64_t sum = start;
            n = left < MOST_TAPS ? left : MOST_TAPS;
            uint32_t i = n;
            for (; step == 1 && i >= 3; i -= 3) {
                sum = add_three(sum, &x, &w);
            }
            for (; i != 0; i--, x += step) {
                sum += (int64_t)*x * *w++;
            }
            split(sum, more);
            acc[0] = opc_add32(acc[0], more[0]);
            acc[1] = opc_add32(acc[1], more[1]);
        }
    }
}

OPC_INLINE void window_of_three(const opc_depthwise *d, uint32_t at, int32_t *acc) {
    const opc_unit *w = d->weights;
    const opc_unit *const *rows = d->rows;
    const opc_unit *x;
    int64_t sum = start;
    __asm__ volatile("1:\n\t"
                     "ldr %[x], [%[rows]], #4\n\t"
                     "add %[x], %[x], %[at]\n\t"
                     "ldm %[x], {r8, r9, r10}\n\t"
                     "ldm %[w]!, {r4, r5, r6}\n\t"
                     "smlal %Q[s], %R[s], r8, r4\n\t"
                     "smlal %Q[s], %R[s], r9, r5\n\t"
                     "smlal %Q[s], %R[s], r10, r6\n\t"
                     "cmp %[rows], %[last]\n\t"
                     "bne 1b"
                     : [s] "+r"(sum), [x] "=&r"(x), [w] "+r"(w), [rows] "+r"(rows)
                     : [at] "r"(at), [last] "r"(rows + d->window.y.size)
                     : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
    split(sum, acc);
}

static OPC_APART void finish(const opc_depthwise *d, const int32_t *acc, int8_t *y) {
    for (uint32_t k = 0; k < d->lanes; k++) {
        y[k] = (int8_t)opc_scale_any(acc[k], &d->lane[k], d->zero_y);
    }
}

void opc_units_run(const opc_depthwise *d, int8_t *y, uint32_t out_step) {
    const bool three = d->window.x.size == 3 && d->window.x.dilation == 1 && d->window.y.size <= 5;
    const uint32_t step = (uint32_t)d->window.x.stride;
    const uint32_t end = (uint32_t)d->window.x.output * step;
    for (uint32_t column = 0; column != end; column += step, y += out_step) {
        int32_t acc[OPC_UNIT_CHANNELS];
        if (three) {
            window_of_three(d, column * (uint32_t)sizeof(opc_unit), acc);
        } else {
            int32_t any[OPC_UNIT_CHANNELS];
            any_window(d, column, any);
            acc[0] = any[0];
            acc[1] = any[1];
        }
        if (d->quick) {
            y[0] = (int8_t)opc_scale_quick(acc[0], &d->lane[0]);
            y[1] = (int8_t)opc_scale_quick(acc[1], &d->lane[1]);
        } else {
            const int32_t both[OPC_UNIT_CHANNELS] = {acc[0], acc[1]};
            finish(d, both, y);
        }
    }
}

#elif defined(OPC_MVE)

void opc_units_load(opc_unit *to, const int8_t *x, uint32_t count, uint32_t step, uint32_t lanes, int32_t zero) {
    const mve_pred16_t some = vctp16q(lanes);
    const int16x8_t off = vdupq_n_s16((int16_t)zero);
    for (; count != 0; count--, x += step, to++) {
        vst1q_s16(to->value, vsubq_s16(vldrbq_z_s16(x, some), off));
    }
}

/* The sums of one window: products of even channels, and of odd ones. */
OPC_INLINE void window_sums(const opc_depthwise *d, uint32_t at, uint32_t step, int32x4_t *even, int32x4_t *odd) {
    const opc_unit *const *rows = d->rows;
    const opc_unit *w = d->weights;
    const opc_unit *x;
    __asm__ volatile("1:\n\t"
                     "ldr %[x], [%[rows]], #4\n\t"
                     "dls lr, %[n]\n\t"
                     "add %[x], %[x], %[at]\n\t"
                     "2:\n\t"
                     "vldrh.16 q0, [%[x]]\n\t"
                     "vldrh.16 q1, [%[w]], #16\n\t"
                     "add %[x], %[x], %[step]\n\t"
                     "vmullb.s16 q2, q0, q1\n\t"
                     "vmullt.s16 q3, q0, q1\n\t"
                     "vadd.i32 %q[e], %q[e], q2\n\t"
                     "vadd.i32 %q[o], %q[o], q3\n\t"
                     "le lr, 2b\n\t"
                     "cmp %[rows], %[last]\n\t"
                     "bne 1b"
                     : [e] "+w"(*even), [o] "+w"(*odd), [x] "=&r"(x), [w] "+r"(w), [rows] "+r"(rows)
                     : [n] "r"(d->window.x.size), [at] "r"(at), [step] "r"(step), [last] "r"(rows + d->window.y.size)
                     : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
}

void opc_units_run(const opc_depthwise *d, int8_t *y, uint32_t out_step) {
    const uint32_t step = (uint32_t)d->window.x.dilation * sizeof(opc_unit);
    const uint32_t stride = (uint32_t)d->window.x.stride * sizeof(opc_unit);
    const uint32_t end = (uint32_t)d->window.x.output * stride;
    const int32x4_t none = vdupq_n_s32(0);
    for (uint32_t at = 0; at != end; at += stride, y += out_step) {
        int32x4_t even = none;
        int32x4_t odd = none;
        window_sums(d, at, step, &even, &odd);
        even = opc_scale_four(even, &d->lane[0], d->zero_y);
        odd = opc_scale_four(odd, &d->lane[4], d->zero_y);
        __asm__ volatile("vqmovnb.s32 %q[e], %q[e]\n\t"
                         "vqmovnt.s32 %q[e], %q[o]\n\t"
                         "vqmovnb.s16 %q[e], %q[e]\n\t"
                         "vctp.16 %[lanes]\n\t"
                         "vpst\n\t"
                         "vstrbt.16 %q[e], [%[y]]"
                         : [e] "+w"(even)
                         : [o] "w"(odd), [lanes] "r"(d->lanes), [y] "l"(y)
                         : "cc", "memory");
    }
}

#endif
