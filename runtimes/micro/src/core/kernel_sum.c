#include "kernel_sum.h"

#include "kernel_simd.h"

#ifdef OPC_MVE
#include <arm_mve.h>
#endif

typedef struct sum {
    const opc_sum *s;
    int32_t sign;
    int32_t zero_a;
    int32_t zero_b;
    int32_t zero_y;
    uint8_t flip;
} sum;

/* opc_mbqm(v << 20, m) as one multiplication and shifts; m.shift <= 0, which takes m = 2^-1 alone up to 0. */
typedef struct term {
    int32_t left;
    int32_t mantissa;
    int32_t right;
} term;

static term term_of(opc_multiplier m, int32_t left) {
    /* A half is a half of the double, too: exact, and its shift is like the others'. */
    const int32_t more = m.shift == 0 ? 1 : 0;
    const term t = {left + more + 1, m.mantissa, -m.shift + more - 1};
    return t;
}

/* The first rounding of opc_mbqm cuts off 31 bits of the product, half up; the second the rest, half away from zero: of
 * one less, and half up, below zero. `x`, doubled, times the mantissa has these 31 bits and one in its low word.
 * |v| << left < 2^31. */
OPC_INLINE int32_t scaled(const term *t, int32_t v) {
    const int32_t x = opc_shift_left(v, t->left);
    const uint64_t nudge = ((uint64_t)(uint32_t)(x >> 31) << 32) | 0x80000000U;
    const int32_t high = (int32_t)(((int64_t)x * t->mantissa + (int64_t)nudge) >> 32);
    return ((high >> t->right) + 1) >> 1;
}

/* Output factors of 1/2 and above. */
static OPC_APART void run_8_large(const opc_run *run) {
    const sum *c = run->context;
    const uint8_t *a = run->a;
    const uint8_t *b = run->b;
    uint8_t *y = run->y;
    for (uint32_t i = 0; i < run->count; i++, a += run->step_a, b += run->step_b) {
        const int32_t left = opc_read_8(a, c->flip) - c->zero_a;
        const int32_t right = opc_read_8(b, c->flip) - c->zero_b;
        y[i] = (uint8_t)opc_sum_element(c->s, left, right, c->sign, OPC_SUM_SHIFT_8, c->zero_y);
    }
}

#ifdef OPC_MVE
/* `scaled` of four values: the doubling is the instruction's, whose rounding is the first one. */
OPC_INLINE int32x4_t scaled4(const term *t, int32x4_t v) {
    const int32x4_t high = vqrdmulhq_n_s32(vshlq_r_s32(v, t->left - 1), t->mantissa);
    return vrshlq_n_s32(vaddq_s32(high, vshrq_n_s32(high, 31)), -1 - t->right);
}

static void run_vectors(const opc_run *run, const sum *k, const term *first, const term *second, const term *last) {
    const int8_t *a = run->a;
    const int8_t *b = run->b;
    int8_t *y = run->y;
    for (int32_t left = (int32_t)run->count; left > 0; left -= 4, a += 4, b += 4, y += 4) {
        const mve_pred16_t some = vctp32q((uint32_t)left);
        const int32x4_t x0 = scaled4(first, vsubq_n_s32(vldrbq_z_s32(a, some), k->zero_a));
        const int32x4_t x1 = scaled4(second, vsubq_n_s32(vldrbq_z_s32(b, some), k->zero_b));
        const int32x4_t value = vaddq_n_s32(scaled4(last, vmlaq_n_s32(x0, x1, k->sign)), k->zero_y);
        const int32x4_t kept = vminq_s32(vmaxq_s32(value, vdupq_n_s32(k->s->lo)), vdupq_n_s32(k->s->hi));
        vstrbq_p_s32(y, kept, some);
    }
}
#endif

static void run_8(const opc_run *run) {
    const sum *c = run->context;
    const opc_sum *s = c->s;
    if (s->output.shift >= 0) {
        run_8_large(run);
        return;
    }
    const term first = term_of(s->input[0], OPC_SUM_SHIFT_8);
    const term second = term_of(s->input[1], OPC_SUM_SHIFT_8);
    const term last = term_of(s->output, 0);
    const uint32_t step_a = run->step_a;
    const uint32_t step_b = run->step_b;
    const sum k = *c;
    const int32_t lo = s->lo;
    const int32_t hi = s->hi;
    const uint8_t *a = run->a;
    const uint8_t *b = run->b;
    uint8_t *y = run->y;
#ifdef OPC_MVE
    if (step_a == 1 && step_b == 1 && k.flip == 0) {
        run_vectors(run, &k, &first, &second, &last);
        return;
    }
#endif
    for (const uint8_t *const end = y + run->count; y != end; a += step_a, b += step_b) {
        const int32_t x0 = scaled(&first, opc_read_8(a, k.flip) - k.zero_a); /* |x0| <= 255 << 19 */
        const int32_t x1 = scaled(&second, opc_read_8(b, k.flip) - k.zero_b);
        *y++ = (uint8_t)opc_clamp(scaled(&last, x0 + k.sign * x1) + k.zero_y, lo, hi);
    }
}

static void run_16(const opc_run *run) {
    const sum *c = run->context;
    const int16_t *a = run->a;
    const int16_t *b = run->b;
    int16_t *y = run->y;
    for (uint32_t i = 0; i < run->count; i++, a += run->step_a, b += run->step_b) {
        y[i] = (int16_t)opc_sum_element(c->s, *a, *b, c->sign, OPC_SUM_SHIFT_16, 0);
    }
}

opc_status opc_sum_8(opc_node *node, int32_t sign) {
    opc_binary t;
    (void)opc_binary_views(node, &t);
    const sum c = {opc_data(node),    sign, opc_zero_8(&t.in[0]), opc_zero_8(&t.in[1]), opc_zero_point(&t.out, 0),
                   opc_flip(&t.in[0])};
    opc_for_runs(&t, run_8, &c);
    return OPC_OK;
}

opc_status opc_sum_16(opc_node *node, int32_t sign) {
    opc_binary t;
    (void)opc_binary_views(node, &t);
    const sum c = {opc_data(node), sign, 0, 0, 0, 0};
    opc_for_runs(&t, run_16, &c);
    return OPC_OK;
}
