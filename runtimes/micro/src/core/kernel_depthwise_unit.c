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

OPC_INLINE void window_of_three(const opc_depthwise *d, uint32_t column, int32_t *acc) {
    const opc_unit *w = d->weights;
    const opc_unit *const *rows = d->rows;
    const opc_unit *const *const end = rows + d->window.y.size;
    int64_t sum = start;
    do {
        const opc_unit *x = *rows++ + column;
        sum = add_three(sum, &x, &w);
    } while (rows != end);
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
            window_of_three(d, column, acc);
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

/* One row of a window, from `x` on: products of even channels, and of odd ones. */
OPC_INLINE const opc_unit *add_row(int32x4_t *even, int32x4_t *odd, const opc_unit *x, const opc_unit *w, uint32_t n,
                                   uint32_t step) {
    __asm__ volatile("dls lr, %[n]\n\t"
                     "1:\n\t"
                     "vldrh.16 q0, [%[x]]\n\t"
                     "vldrh.16 q1, [%[w]], #16\n\t"
                     "add %[x], %[x], %[step]\n\t"
                     "vmullb.s16 q2, q0, q1\n\t"
                     "vmullt.s16 q3, q0, q1\n\t"
                     "vadd.i32 %q[e], %q[e], q2\n\t"
                     "vadd.i32 %q[o], %q[o], q3\n\t"
                     "le lr, 1b"
                     : [e] "+w"(*even), [o] "+w"(*odd), [x] "+r"(x), [w] "+r"(w)
                     : [n] "r"(n), [step] "r"(step)
                     : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
    return w;
}

void opc_units_run(const opc_depthwise *d, int8_t *y, uint32_t out_step) {
    const uint32_t size = (uint32_t)d->window.x.size;
    const uint32_t step = (uint32_t)d->window.x.dilation * sizeof(opc_unit);
    const uint32_t stride = (uint32_t)d->window.x.stride;
    const uint32_t end = (uint32_t)d->window.x.output * stride;
    const opc_unit *const *const last = d->rows + d->window.y.size;
    const uint32_t lanes = d->lanes;
    for (uint32_t column = 0; column != end; column += stride, y += out_step) {
        const opc_unit *w = d->weights;
        int32x4_t even = vdupq_n_s32(0);
        int32x4_t odd = vdupq_n_s32(0);
        for (const opc_unit *const *row = d->rows; row != last; row++) {
            w = add_row(&even, &odd, *row + column, w, size, step);
        }
        even = vaddq_n_s32(opc_scale_four(even, vld4q_s32(&d->lane[0].base)), d->zero_y);
        odd = vaddq_n_s32(opc_scale_four(odd, vld4q_s32(&d->lane[4].base)), d->zero_y);
        const int16x8_t all = vqmovntq_s32(vqmovnbq_s32(vreinterpretq_s16_s32(even), even), odd);
        vstrbq_p_s16(y, vreinterpretq_s16_s8(vqmovnbq_s16(vreinterpretq_s8_s16(all), all)), vctp16q(lanes));
    }
}

#endif
