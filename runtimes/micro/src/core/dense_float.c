/* FULLY_CONNECTED of float32 where the core has a floating-point unit. Sums start from the bias and run in the order of
 * the depth. */
#include <string.h>

#include "dense.h"
#include "soft_dot.h"

void opc_dense_clamp32(float *y, uint32_t n, uint8_t activation) {
    const uint32_t infinite = 0x7F800000U;
    const uint32_t sign = 0x80000000U;
    /* 0 and infinity, -1 and 1, 0 and 6 */
    static const uint32_t limits[OPC_ACT_RELU6][2] = {{0, 0x7F800000U}, {0xBF800000U, 0x3F800000U}, {0, 0x40C00000U}};
    if (activation == OPC_ACT_NONE || n == 0) {
        return;
    }
    /* Bits of numbers of one sign are ordered as their magnitudes. */
    const uint32_t lo = limits[activation - 1][0];
    const uint32_t hi = limits[activation - 1][1];
    const uint32_t below = (sign | infinite) - (sign | lo);
    uint32_t *bits = (uint32_t *)(void *)y;
    const uint32_t *const end = bits + n;
    do {
        const uint32_t value = *bits++;
        if (value > hi) { /* or below 0, or NaN */
            bits[-1] = (sign | infinite) - value < below ? lo : infinite - value < infinite - hi ? hi : value;
        }
    } while (bits != end);
}

#ifndef OPC_HAS_SOFT_DOT

#if defined(__ARM_FP) && defined(__thumb__) && !defined(OPC_PORTABLE)
#define DENSE_VLDM
#endif

/* Four rows, n > 0 apart, on top of the bias. */
static OPC_APART void dot4(const float *x, const float *w, uint32_t n, const float *bias, float *acc) {
    const float *w1 = w + n;
    const float *w2 = w1 + n;
    const float *w3 = w2 + n;
    float sum0 = bias[0];
    float sum1 = bias[1];
    float sum2 = bias[2];
    float sum3 = bias[3];
    uint32_t left = n;
#ifdef DENSE_VLDM
    /* Four values at a time. VMLA rounds the product and the sum, as a multiplication and an addition would. */
    if (n >= 4) {
        uint32_t blocks = n / 4;
        do {
            __asm volatile(
                "vldmia %[x]!, {s0-s3}\n"
                "vldmia %[w]!, {s4-s7}\n"
                "vmla.f32 %[a], s0, s4\n vmla.f32 %[a], s1, s5\n vmla.f32 %[a], s2, s6\n vmla.f32 %[a], s3, s7\n"
                "vldmia %[w1]!, {s4-s7}\n"
                "vmla.f32 %[b], s0, s4\n vmla.f32 %[b], s1, s5\n vmla.f32 %[b], s2, s6\n vmla.f32 %[b], s3, s7\n"
                "vldmia %[w2]!, {s4-s7}\n"
                "vmla.f32 %[c], s0, s4\n vmla.f32 %[c], s1, s5\n vmla.f32 %[c], s2, s6\n vmla.f32 %[c], s3, s7\n"
                "vldmia %[w3]!, {s4-s7}\n"
                "vmla.f32 %[d], s0, s4\n vmla.f32 %[d], s1, s5\n vmla.f32 %[d], s2, s6\n vmla.f32 %[d], s3, s7\n"
                : [x] "+r"(x), [w] "+r"(w), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [a] "+t"(sum0), [b] "+t"(sum1),
                  [c] "+t"(sum2), [d] "+t"(sum3)
                :
                : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "memory");
        } while (--blocks != 0);
        left = n & 3U;
    }
    if (left != 0)
#endif
        do {
            const float value = *x++;
            sum0 += value * *w++;
            sum1 += value * *w1++;
            sum2 += value * *w2++;
            sum3 += value * *w3++;
        } while (--left != 0);
    acc[0] = sum0;
    acc[1] = sum1;
    acc[2] = sum2;
    acc[3] = sum3;
}

static float dot1(const float *x, const float *w, uint32_t n, float sum) {
#ifdef DENSE_VLDM
    for (; n >= 4; n -= 4) {
        __asm volatile("vldmia %[x]!, {s0-s3}\n"
                       "vldmia %[w]!, {s4-s7}\n"
                       "vmla.f32 %[a], s0, s4\n vmla.f32 %[a], s1, s5\n vmla.f32 %[a], s2, s6\n"
                       "vmla.f32 %[a], s3, s7\n"
                       : [x] "+r"(x), [w] "+r"(w), [a] "+t"(sum)
                       :
                       : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "memory");
    }
#endif
    for (; n != 0; n--) {
        sum += *x++ * *w++;
    }
    return sum;
}

void opc_dense_rows32(const opc_dense_float *m, const float *w, const float *bias, const float *x, float *y) {
    static const float none[4];
    const uint32_t depth = m->depth;
    const uint32_t step = bias == NULL ? 0 : 1;
    const float *from = bias == NULL ? none : bias;
    uint32_t left = m->units;
    for (; left >= 4; left -= 4) {
        dot4(x, w, depth, from, y);
        from += 4 * step;
        w += 4 * depth;
        y += 4;
    }
    for (; left != 0; left--) {
        *y++ = dot1(x, w, depth, *from);
        from += step;
        w += depth;
    }
}

void opc_dense_rows32_int8(const opc_dense_float *m, const opc_tensor *w, const float *bias, const float *x, float *y) {
    const int8_t *row = w->data;
    for (uint32_t u = 0; u < m->units; u++) {
        const int32_t zero = opc_zero_point(w, u);
        float sum = 0.0f;
        for (uint32_t k = 0; k < m->depth; k++) {
            sum += x[k] * (float)(*row++ - zero);
        }
        y[u] = sum * opc_scale(w, u) + (bias == NULL ? 0.0f : bias[u]);
    }
}
#endif
