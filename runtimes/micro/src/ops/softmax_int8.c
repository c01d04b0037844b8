#include "kernel_fixed.h"
#include "kernel_util.h"

enum { DIFFERENCE_BITS = 5, SUM_BITS = 12 };

typedef struct softmax {
    opc_tensor x;
    opc_tensor y;
    opc_multiplier m; /* to Q5.26 */
    int32_t lowest;   /* differences below it count as exp = 0 */
    uint8_t flip;
} softmax;

static opc_status set_up(opc_node *node, softmax *s) {
    OPC_TRY(opc_fetch(node, 1, &s->x, &s->y));
    if (s->x.rank == 0 || !opc_same_shape(&s->x, &s->y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input and output must have the same shape and rank at least 1");
    }
    OPC_TRY(opc_need_quantized(node, &s->x, &s->y));
    if (s->y.dtype == OPC_INT16) {
        OPC_TRY(opc_need_fixed_output(node, &s->y, 1.0f / 65536.0f, INT16_MIN));
    } else {
        OPC_TRY(opc_same_dtype(node, &s->x, &s->y));
        OPC_TRY(opc_need_fixed_output(node, &s->y, 1.0f / 256.0f, s->y.dtype == OPC_UINT8 ? 0 : INT8_MIN));
    }
    const float beta = opc_option_f32(node, 0, 0.0f);
    if (!(beta > 0.0f) || beta > 3.4028234e38f) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "beta must be above 0");
    }
    s->m = opc_multiplier_of(beta, opc_scale(&s->x, 0), 1.0f, 31 - DIFFERENCE_BITS);
    if (opc_multiplier_vs_one(s->m) <= 0) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "beta times the input scale is too small");
    }
    if (s->m.shift > 31) { /* capped at 2^31 - 1: a difference of 1 makes the exponential 0 */
        s->m.mantissa = INT32_MAX;
        s->m.shift = 31;
    }
    s->lowest = -opc_fx_radius(DIFFERENCE_BITS, s->m.shift);
    s->flip = opc_flip(&s->x);
    return OPC_OK;
}

/* exp of a difference in [lowest, 0] as Q0.31; the shifted difference stays above -2^31. */
static int32_t exponential(const softmax *s, int32_t difference) {
    const int32_t scaled = opc_srdhm(opc_shift_left(difference, s->m.shift), s->m.mantissa);
    return opc_fx_exp(scaled, DIFFERENCE_BITS);
}

static int32_t highest(const softmax *s, const uint8_t *x, uint32_t depth) {
    int32_t best = INT8_MIN;
    for (uint32_t c = 0; c < depth; c++) {
        const int32_t value = opc_read_8(x + c, s->flip);
        best = value > best ? value : best;
    }
    return best;
}

static void run_row(const softmax *s, const uint8_t *x, uint32_t at, uint32_t depth) {
    const bool wide = s->y.dtype == OPC_INT16;
    const int32_t top = highest(s, x, depth);
    uint32_t sum = 0; /* Q12.19: each term at most 2^19, saturated above 8191 of them */
    for (uint32_t c = 0; c < depth; c++) {
        const int32_t difference = opc_read_8(x + c, s->flip) - top;
        if (difference >= s->lowest) {
            const uint32_t term = (uint32_t)opc_rdbpot(exponential(s, difference), SUM_BITS);
            sum = sum > UINT32_MAX - term ? UINT32_MAX : sum + term;
        }
    }
    int32_t bits;
    const int32_t reciprocal = opc_fx_reciprocal(sum, SUM_BITS, &bits);
    const int32_t exponent = bits + 31 - (wide ? 16 : 8);
    const int32_t floor = wide ? INT16_MIN : INT8_MIN;
    for (uint32_t c = 0; c < depth; c++) {
        const int32_t difference = opc_read_8(x + c, s->flip) - top;
        int32_t share = 0;
        if (difference >= s->lowest && exponent <= 31) { /* beyond, every share is below half a quantum */
            share = opc_rdbpot(opc_srdhm(reciprocal, exponential(s, difference)), exponent);
        }
        const int32_t value = opc_clamp(share + floor, floor, -floor - 1);
        if (wide) {
            ((int16_t *)s->y.data)[at + c] = (int16_t)value;
        } else {
            ((uint8_t *)s->y.data)[at + c] = opc_byte_8(value, s->flip);
        }
    }
}

static opc_status prepare(opc_node *node) {
    softmax s;
    return set_up(node, &s);
}

static opc_status invoke(opc_node *node) {
    softmax s;
    OPC_TRY(set_up(node, &s));
    const uint32_t depth = (uint32_t)s.x.dims[s.x.rank - 1];
    for (uint32_t at = 0; at < s.x.elements; at += depth) {
        run_row(&s, opc_u8(&s.x) + at, at, depth);
    }
    return OPC_OK;
}

const opc_op opc_softmax_int8 = {.code = OPC_CODE_SOFTMAX,
                                 .key = OPC_KEY_INPUT0,
                                 .flags = OPC_INPLACE_INPUT0,
                                 .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8),
                                 .prepare = prepare,
                                 .invoke = invoke};
