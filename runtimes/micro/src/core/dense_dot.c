/* The inner loops of FULLY_CONNECTED and SVDF. Which instructions they use is decided when they are compiled; the
 * results are the same, since sums modulo 2^32 do not depend on the order of their terms. */
#include <string.h>

#include "dense.h"
#include "kernel_util.h"

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

#define ROWS 4U          /* that are taken at once, so that a value of x is loaded once for all */
#define CHUNK (4 * ROWS) /* sums that are kept until they are rescaled */

/* What a zero point of the weights takes from the sums of all units. */
static int32_t start_of(const opc_rows8 *m, const int8_t *x) {
    int32_t sum = 0;
    for (uint32_t k = 0; m->zero_w != 0 && k < m->depth; k++) {
        sum = opc_sub32(sum, x[k] - m->zero_x);
    }
    return opc_mul32(sum, m->zero_w);
}

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

static void dot_rows(const int8_t *x, const int8_t *w, uint32_t n, int32_t zero, const int32_t *bias, uint32_t *acc) {
    int32_t sums[ROWS];
    dot2(x, w, w + n, n, zero, sums);
    dot2(x, w + 2 * n, w + 3 * n, n, zero, sums + 2);
    vst1q_u32(acc, vreinterpretq_u32_s32(vaddq_s32(vld1q_s32(sums), vld1q_s32(bias))));
}

void opc_dense_finish8(const opc_rows8 *m, const opc_multiplier *f, const uint32_t *acc, uint32_t n, uint8_t *y) {
    const int32_t left = f->shift > 0 ? f->shift : 0;
    const int32_t right = left - f->shift;
    const int32x4_t minus = vdupq_n_s32(right != 0 ? INT32_MIN : 0); /* takes 1 from negative products */
    const int32x4_t lo = vdupq_n_s32(m->lo);
    const int32x4_t hi = vdupq_n_s32(m->hi);
    for (int32_t rest = (int32_t)n; rest > 0; rest -= 4, acc += 4, y += 4) {
        const mve_pred16_t some = vctp32q((uint32_t)rest);
        const int32x4_t sum = vreinterpretq_s32_u32(vldrwq_z_u32(acc, some));
        const int32x4_t high = vqrdmulhq_n_s32(vshlq_r_s32(sum, left), f->mantissa);
        const int32x4_t less = vaddq_s32(high, vshrq_n_s32(vandq_s32(high, minus), 31));
        const int32x4_t out = vaddq_n_s32(vrshlq_n_s32(less, -right), m->zero_y);
        vstrbq_p_s32((int8_t *)y, vminq_s32(vmaxq_s32(out, lo), hi), some);
    }
}

#else

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
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(DENSE_DSP)
    if (n >= 4) {
        const int8_t *const end = x + (n & ~3U);
        do {
            sum += (uint32_t)((*x++ - zero) * *w++);
            sum += (uint32_t)((*x++ - zero) * *w++);
            sum += (uint32_t)((*x++ - zero) * *w++);
            sum += (uint32_t)((*x++ - zero) * *w++);
        } while (x != end);
        n &= 3U;
    }
#endif
    for (; n != 0; n--) {
        sum += (uint32_t)((*x++ - zero) * *w++);
    }
    return sum;
}

#if defined(__ARM_ARCH_6M__) && defined(__GNUC__) && !defined(OPC_PORTABLE)
#define UNUSED __attribute__((unused))

/* As below. Written out, since compilers spill what takes all low registers: the sums stay in high ones, which only
 * ADD reaches. r0 x, r1 r4 r5 r7 rows (all their ends), r2 counts up to 0, r3 value, r6 term, r12 -zero. */
static __attribute__((naked, noinline)) void dot_rows(UNUSED const int8_t *x, UNUSED const int8_t *w, UNUSED uint32_t n,
                                                      UNUSED int32_t zero, UNUSED const int32_t *bias,
                                                      UNUSED uint32_t *acc) {
    __asm(".syntax unified\n"
          "push {r4, r5, r6, r7, lr}\n"
          "mov r4, r8\n mov r5, r9\n mov r6, r10\n mov r7, r11\n"
          "push {r4, r5, r6, r7}\n"
          "ldr r4, [sp, #36]\n"
          "ldmia r4!, {r5, r6, r7}\n"
          "ldr r4, [r4]\n"
          "mov r8, r5\n mov r9, r6\n mov r10, r7\n mov r11, r4\n"
          "adds r0, r0, r2\n adds r1, r1, r2\n adds r4, r1, r2\n adds r5, r4, r2\n adds r7, r5, r2\n"
          "rsbs r2, r2, #0\n rsbs r3, r3, #0\n mov r12, r3\n"
          "1: ldrsb r3, [r0, r2]\n add r3, r12\n"
          "ldrsb r6, [r1, r2]\n muls r6, r3, r6\n add r8, r6\n"
          "ldrsb r6, [r4, r2]\n muls r6, r3, r6\n add r9, r6\n"
          "ldrsb r6, [r5, r2]\n muls r6, r3, r6\n add r10, r6\n"
          "ldrsb r6, [r7, r2]\n muls r6, r3, r6\n add r11, r6\n"
          "adds r2, r2, #1\n bne 1b\n"
          "ldr r0, [sp, #40]\n"
          "mov r4, r8\n mov r5, r9\n mov r6, r10\n mov r7, r11\n"
          "stmia r0!, {r4, r5, r6, r7}\n"
          "pop {r4, r5, r6, r7}\n"
          "mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7\n"
          "pop {r4, r5, r6, r7, pc}\n");
}
#else

#define TERM4()                                                                                                        \
    do {                                                                                                               \
        const int32_t value = *x++ - zero;                                                                             \
        sum0 += (uint32_t)(value * *w++);                                                                              \
        sum1 += (uint32_t)(value * *w1++);                                                                             \
        sum2 += (uint32_t)(value * *w2++);                                                                             \
        sum3 += (uint32_t)(value * *w3++);                                                                             \
    } while (0)
/* Pointers that are known here step in the loads; otherwise compilers add up offsets and spill. */
#if defined(__GNUC__)
#define APART_FROM_HERE()                                                                                              \
    __asm("" : "+r"(x), "+r"(w), "+r"(w1), "+r"(w2), "+r"(w3), "+r"(sum0), "+r"(sum1), "+r"(sum2), "+r"(sum3))
#else
#define APART_FROM_HERE() (void)0
#endif

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
        if (n % 2 != 0) {
            TERM4();
        }
        if (n > 1) {
            do {
                TERM4();
                APART_FROM_HERE();
                TERM4();
                APART_FROM_HERE();
            } while (w != end);
        }
    }
    acc[0] = sum0;
    acc[1] = sum1;
    acc[2] = sum2;
    acc[3] = sum3;
}
#endif

/* High word of x * m + (x < 0 ? -2^30 : 2^30) for m >= 0. */
static inline int32_t high_word(int32_t x, int32_t m) {
    const int32_t sign = x >> 31;
    const uint32_t nudge = 0x40000000U + ((uint32_t)sign << 31); /* its low word; the high one is `sign` */
#if defined(__ARM_ARCH_6M__)
    /* No instruction multiplies to 64 bits: four products of 16 bits each; m < 2^31 keeps the sums of two in 32. */
    const uint32_t m0 = (uint32_t)m & 0xFFFFU;
    const uint32_t x0 = (uint32_t)x & 0xFFFFU;
    const int32_t m1 = m >> 16;
    const int32_t x1 = x >> 16;
    const uint32_t low = x0 * m0;
    const uint32_t middle = x0 * (uint32_t)m1 + (low >> 16);             /* <= (2^16 - 1) * 2^15 */
    const int32_t rest = x1 * (int32_t)m0 + (int32_t)(middle & 0xFFFFU); /* |x1 * m0| <= 2^31 - 2^15 */
    const int32_t top = x1 * m1 + (int32_t)(middle >> 16) + (rest >> 16);
    const uint32_t bottom = ((uint32_t)rest << 16) | (low & 0xFFFFU);
    return top + sign + (bottom > ~nudge ? 1 : 0); /* |top| < 2^30 */
#else
    return (int32_t)(((int64_t)x * m + (int64_t)(((uint64_t)(uint32_t)sign << 32) | nudge)) >> 32);
#endif
}

/* Rescale n > 0 sums by one factor, and store them. */
void opc_dense_finish8(const opc_rows8 *m, const opc_multiplier *f, const uint32_t *acc, uint32_t n, uint8_t *y) {
    const int32_t lo = m->lo;
    const int32_t hi = m->hi;
    const int32_t zero = m->zero_y;
    const uint32_t range = (uint32_t)(hi - lo);
    const int32_t mantissa = f->mantissa;
    const int32_t right = -2 - f->shift;
    if (right < 0) {
        do {
            *y++ = (uint8_t)opc_clamp_sum(opc_mbqm((int32_t)*acc++, *f), zero, lo, hi);
        } while (--n != 0);
        return;
    }
    do {
        /* opc_mbqm in one go. Its first rounding cuts off 31 bits of the product, half up; its second one the rest,
         * half away from zero: of one less, and half up, below zero. Where x < 0 the product is at most -2^30, so that
         * the first result has the sign of x or is 0, which one less rounds to 0, too. |scaled| <= 2^29 */
        const int32_t scaled = ((high_word((int32_t)*acc++, mantissa) >> right) + 1) >> 1;
        const int32_t above = scaled + (zero - lo);
        const uint32_t kept = (uint32_t)above > range ? range & ~(uint32_t)(above >> 31) : (uint32_t)above;
        *y++ = (uint8_t)(kept + (uint32_t)lo);
    } while (--n != 0);
}

#endif

/* The sums of n units. */
static void sum_rows(const opc_rows8 *m, const int8_t *w, const int32_t *bias, const int8_t *x, uint32_t n,
                     uint32_t *acc) {
    static const int32_t none[ROWS];
    const uint32_t depth = m->depth;
    const int32_t zero = m->zero_x;
    const uint32_t step = bias == NULL ? 0 : 1;
    const int32_t *from = bias == NULL ? none : bias;
    for (; n >= ROWS; n -= ROWS) {
        dot_rows(x, w, depth, zero, from, acc);
        from += ROWS * step;
        w += ROWS * depth;
        acc += ROWS;
    }
    for (; n != 0; n--) {
        *acc++ = (uint32_t)*from + opc_dense_dot8(x, w, depth, zero);
        from += step;
        w += depth;
    }
}

void opc_dense_rows8(const opc_rows8 *m, const int8_t *w, const int32_t *bias, const int8_t *x, uint8_t *y) {
    const uint32_t start = (uint32_t)start_of(m, x);
    for (uint32_t u = 0; u < m->units; u += CHUNK) {
        uint32_t acc[CHUNK];
        const uint32_t n = m->units - u < CHUNK ? m->units - u : CHUNK;
        const uint32_t step = m->per_unit != 0 ? 1 : n;
        sum_rows(m, w + u * m->depth, bias == NULL ? NULL : bias + u, x, n, acc);
        for (uint32_t i = 0; start != 0 && i < n; i++) {
            acc[i] += start;
        }
        for (uint32_t i = 0; i < n; i += step) {
            opc_dense_finish8(m, m->factors + m->per_unit * (u + i), acc + i, step, y + u + i);
        }
    }
}
