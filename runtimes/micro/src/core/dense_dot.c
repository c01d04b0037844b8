/* The inner loops of FULLY_CONNECTED and SVDF. Which instructions they use is decided when they are compiled; the
 * results are the same, since sums modulo 2^32 do not depend on the order of their terms. */
#include <string.h>

#include "dense.h"
#include "kernel_util.h"

/* A loop inside another one gets all registers when it is a function of its own. */
#if defined(__GNUC__)
#define OPC_APART __attribute__((noinline))
#else
#define OPC_APART
#endif

#if defined(__ARM_FEATURE_MVE) && !defined(OPC_PORTABLE)
#define DENSE_MVE
#include <arm_mve.h>
#elif defined(__ARM_FEATURE_DSP) && !defined(OPC_PORTABLE)
#define DENSE_DSP
#endif

#ifdef DENSE_DSP
static inline uint32_t load4(const int8_t *p) {
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}
/* Bytes 0 and 2 of a word as two int16, and bytes 1 and 3. */
static inline uint32_t even(uint32_t word) {
    uint32_t pair;
    __asm("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
}
static inline uint32_t odd(uint32_t word) {
    uint32_t pair;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}
static inline uint32_t minus(uint32_t a, uint32_t b) {
    uint32_t pair;
    __asm("ssub16 %0, %1, %2" : "=r"(pair) : "r"(a), "r"(b));
    return pair;
}
static inline uint32_t mad(uint32_t a, uint32_t b, uint32_t sum) {
    uint32_t result;
    __asm("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

#endif

#ifdef DENSE_MVE

/* Sums of two rows. The last block is predicated by the loop: nothing behind the rows is read. */
static void dot2(const int8_t *x, const int8_t *w, const int8_t *v, uint32_t n, int32_t zero, int32_t *acc) {
    int32_t sum_w = 0;
    int32_t sum_v = 0;
    int32_t all_w = 0;
    int32_t all_v = 0;
    __asm volatile("dlstp.8 lr, %[n]\n"
                   "1: vldrb.8 q0, [%[x]], #16\n"
                   "vldrb.8 q1, [%[w]], #16\n"
                   "vmladava.s8 %[sw], q0, q1\n"
                   "vaddva.s8 %[aw], q1\n"
                   "vldrb.8 q1, [%[v]], #16\n"
                   "vmladava.s8 %[sv], q0, q1\n"
                   "vaddva.s8 %[av], q1\n"
                   "letp lr, 1b\n"
                   : [x] "+r"(x), [w] "+r"(w), [v] "+r"(v), [sw] "+Te"(sum_w), [sv] "+Te"(sum_v), [aw] "+Te"(all_w),
                     [av] "+Te"(all_v)
                   : [n] "r"(n)
                   : "lr", "q0", "q1", "memory");
    acc[0] = opc_sub32(sum_w, opc_mul32(zero, all_w));
    acc[1] = opc_sub32(sum_v, opc_mul32(zero, all_v));
}

uint32_t opc_dense_dot8(const int8_t *x, const int8_t *w, uint32_t n, int32_t zero) {
    int32_t acc[2];
    dot2(x, w, w, n, zero, acc);
    return (uint32_t)acc[0];
}

void opc_dense_rows8(const opc_rows8 *m, const int8_t *x, uint8_t *y) {
    const int8_t *w = m->w;
    int32x4x2_t f = {{vdupq_n_s32(m->factors[0].mantissa), vdupq_n_s32(m->factors[0].shift)}};
    for (uint32_t u = 0; u < m->units; u += 4, w += 4 * m->depth, y += 4) {
        const uint32_t rows = m->units - u;
        int32_t acc[4];
        acc[2] = acc[3] = 0;
        dot2(x, w, rows > 1 ? w + m->depth : w, m->depth, m->zero_x, acc);
        if (rows > 2) {
            const int8_t *third = w + 2 * m->depth;
            dot2(x, third, rows > 3 ? third + m->depth : third, m->depth, m->zero_x, acc + 2);
        }
        const mve_pred16_t some = vctp32q(rows);
        int32x4_t sum = vaddq_n_s32(vld1q_s32(acc), m->start);
        if (m->bias != NULL) {
            sum = vaddq_s32(sum, vldrwq_z_s32(m->bias + u, some));
        }
        if (m->per_unit != 0) {
            int32_t pairs[8];
            const uint32_t count = rows < 4 ? rows : 4;
            memcpy(pairs, m->factors + u, count * sizeof m->factors[0]);
            f = vld2q_s32(pairs);
        }
        /* As opc_mbqm; a right shift has its sign bit set, which takes 1 from negative products. */
        const int32x4_t right = vminq_s32(f.val[1], vdupq_n_s32(0));
        const int32x4_t high = vqrdmulhq_s32(vshlq_s32(sum, vmaxq_s32(f.val[1], vdupq_n_s32(0))), f.val[0]);
        const int32x4_t fixed = vaddq_s32(high, vshrq_n_s32(vandq_s32(high, right), 31));
        const int32x4_t out = vaddq_n_s32(vrshlq_s32(fixed, right), m->zero_y);
        const int32x4_t clamped = vminq_s32(vmaxq_s32(out, vdupq_n_s32(m->lo)), vdupq_n_s32(m->hi));
        vstrbq_p_s32((int8_t *)y, clamped, some);
    }
}

#else

#define CHUNK 16U /* sums that are kept until they are rescaled, a multiple of ROWS */

/* One row; terms are below 2^17, and a sum that leaves int32 wraps, hence unsigned. */
uint32_t opc_dense_dot8(const int8_t *x, const int8_t *w, uint32_t n, int32_t zero) {
    uint32_t sum = 0;
#ifdef DENSE_DSP
    const uint32_t twice = ((uint32_t)zero & 0xFFFFU) * 0x10001U;
    for (; n >= 4; n -= 4, x += 4, w += 4) {
        const uint32_t a = load4(x);
        const uint32_t b = load4(w);
        sum = mad(odd(b), minus(odd(a), twice), mad(even(b), minus(even(a), twice), sum));
    }
#endif
    for (const int8_t *const end = x + n; x != end;) {
        sum += (uint32_t)((*x++ - zero) * *w++);
    }
    return sum;
}

#ifdef __ARM_ARCH_6M__
#define ROWS 2U /* as many as its registers hold */

static OPC_APART void dot_rows(const int8_t *x, const int8_t *w, uint32_t n, int32_t zero, const int32_t *bias,
                               uint32_t *acc) {
    const int8_t *v = w + n;
    uint32_t sum0 = (uint32_t)bias[0];
    uint32_t sum1 = (uint32_t)bias[1];
    const int8_t *const end = w + n;
    do {
        const int32_t value = *x++ - zero;
        sum0 += (uint32_t)(value * *w++);
        sum1 += (uint32_t)(value * *v++);
    } while (w != end);
    acc[0] = sum0;
    acc[1] = sum1;
}
#else
#define ROWS 4U

/* Four rows, `depth` apart, from value k on. */
static OPC_APART void dot_rows(const int8_t *x, const int8_t *w, uint32_t n, int32_t zero, const int32_t *bias,
                               uint32_t *acc) {
    const uint32_t depth = n;
    uint32_t sum0 = (uint32_t)bias[0];
    uint32_t sum1 = (uint32_t)bias[1];
    uint32_t sum2 = (uint32_t)bias[2];
    uint32_t sum3 = (uint32_t)bias[3];
#ifdef DENSE_DSP
    if (n >= 4) {
        const uint32_t twice = ((uint32_t)zero & 0xFFFFU) * 0x10001U;
        const int8_t *v = w + 2 * depth;
        const int8_t *const end = w + (n & ~3U);
        do {
            uint32_t word = load4(x);
            const uint32_t a = minus(even(word), twice);
            const uint32_t b = minus(odd(word), twice);
            x += 4;
            word = load4(w + depth);
            sum1 = mad(odd(word), b, mad(even(word), a, sum1));
            word = load4(w);
            w += 4;
            sum0 = mad(odd(word), b, mad(even(word), a, sum0));
            word = load4(v + depth);
            sum3 = mad(odd(word), b, mad(even(word), a, sum3));
            word = load4(v);
            v += 4;
            sum2 = mad(odd(word), b, mad(even(word), a, sum2));
        } while (w != end);
        n &= 3U;
    }
    if (n != 0)
#endif
    {
        const int8_t *w1 = w + depth;
        const int8_t *w2 = w1 + depth;
        const int8_t *w3 = w2 + depth;
        const int8_t *const end = w + n;
        do {
            const int32_t value = *x++ - zero;
            sum0 += (uint32_t)(value * *w++);
            sum1 += (uint32_t)(value * *w1++);
            sum2 += (uint32_t)(value * *w2++);
            sum3 += (uint32_t)(value * *w3++);
        } while (w != end);
    }
    acc[0] = sum0;
    acc[1] = sum1;
    acc[2] = sum2;
    acc[3] = sum3;
}
#endif

/* Rescale n > 0 sums by one factor, and store them. */
static OPC_APART void finish(const opc_rows8 *m, const opc_multiplier *f, const uint32_t *acc, uint32_t n, uint8_t *y) {
    const uint32_t lo = (uint32_t)m->lo;
    const uint32_t above = (uint32_t)m->zero_y - lo;
    const uint32_t range = (uint32_t)m->hi - lo;
    const int32_t mantissa = f->mantissa;
    const int32_t left = f->shift > 0 ? f->shift : 0;
    const int32_t right = left - f->shift;
    const uint32_t *const end = acc + n;
    do {
        /* opc_mbqm of a mantissa that is not negative. |sum * mantissa| < 2^62, |high| < 2^31. */
        const int64_t product = (int64_t)opc_shift_left((int32_t)*acc++, left) * mantissa;
        int32_t high = (int32_t)((product + (INT64_C(1) << 30)) >> 31);
        if (right != 0) { /* half away from zero: the last bit cut off decides, below zero that of one less */
            high = (((high + (high >> 31)) >> (right - 1)) + 1) >> 1;
        }
        uint32_t out = (uint32_t)high + above;
        out = out > range ? range & ~(uint32_t)((int32_t)out >> 31) : out;
        *y++ = (uint8_t)(out + lo);
    } while (acc != end);
}

/* The sums of `most` units from `u` on. */
static void sum_rows(const opc_rows8 *m, const int8_t *x, uint32_t u, uint32_t most, uint32_t *acc) {
    static const int32_t none[ROWS];
    const int8_t *w = m->w + u * m->depth;
    uint32_t rows = ROWS;
    for (uint32_t n = 0; n < most; n += rows) {
        const int32_t *bias = m->bias == NULL ? none : m->bias + u + n;
        if (most - n >= ROWS) {
            dot_rows(x, w, m->depth, m->zero_x, bias, acc + n);
        } else {
            rows = 1;
            acc[n] = (uint32_t)*bias + opc_dense_dot8(x, w, m->depth, m->zero_x);
        }
        w += rows * m->depth;
    }
    for (uint32_t n = 0; m->start != 0 && n < most; n++) {
        acc[n] += (uint32_t)m->start;
    }
}

void opc_dense_rows8(const opc_rows8 *m, const int8_t *x, uint8_t *y) {
    for (uint32_t u = 0; u < m->units; u += CHUNK) {
        uint32_t acc[CHUNK];
        const uint32_t n = m->units - u < CHUNK ? m->units - u : CHUNK;
        const uint32_t step = m->per_unit != 0 ? 1 : n;
        sum_rows(m, x, u, n, acc);
        for (uint32_t i = 0; i < n; i += step) {
            finish(m, m->factors + m->per_unit * (u + i), acc + i, step, y + u + i);
        }
    }
}
#endif
