#include "kernel_svdf.h"

/* Weights of time and state are int16 or int8. The activation is what the output's range cuts off: RELU by a zero point
 * at its low end. */
typedef struct integer {
    opc_svdf s;
    opc_multiplier to_state;  /* s_x * s_feature / s_state, in float32 */
    opc_multiplier to_output; /* s_state * s_time / s_y, in float32 */
} integer;

static bool dtypes_fit(const opc_svdf *s) {
    const bool narrow = s->state.dtype == OPC_INT8 || s->state.dtype == OPC_INT16;
    return narrow && s->w_time.dtype == s->state.dtype && s->w_feature.dtype == OPC_INT8 && s->y.dtype == OPC_INT8 &&
           (s->bias.dims == NULL || s->bias.dtype == OPC_INT32);
}

static opc_status factor(opc_node *node, float product, float divisor, opc_multiplier *m) {
    const float quotient = product / divisor;
    if (!(quotient < 3.4028234e38f)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "the scales' quotient overflows");
    }
    *m = opc_multiplier_of(quotient, 1.0f, 1.0f, 0);
    return OPC_OK;
}

static opc_status set_up(opc_node *node, integer *t) {
    opc_svdf *s = &t->s;
    OPC_TRY(opc_svdf_fetch(node, s));
    if (!dtypes_fit(s)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "this combination of dtypes is not supported");
    }
    if (s->activation != OPC_ACT_NONE && s->activation != OPC_ACT_RELU) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "fused activation");
    }
    OPC_TRY(opc_need_quantized(node, &s->x, &s->y));
    OPC_TRY(opc_need_quantized(node, &s->w_feature, &s->w_time));
    OPC_TRY(opc_need_quantized(node, &s->state, &s->state));
    OPC_TRY(factor(node, opc_scale(&s->x, 0) * opc_scale(&s->w_feature, 0), opc_scale(&s->state, 0), &t->to_state));
    return factor(node, opc_scale(&s->state, 0) * opc_scale(&s->w_time, 0), opc_scale(&s->y, 0), &t->to_output);
}

static opc_status prepare(opc_node *node) {
    integer t;
    return set_up(node, &t);
}

/* The newest column of the state: features of this input. Sums are modulo 2^32. */
static void feature(const integer *t, const int8_t *x, uint32_t b) {
    const opc_svdf *s = &t->s;
    const int32_t zero = opc_zero_point(&s->x, 0);
    const int8_t *w = s->w_feature.data;
    int32_t lo;
    int32_t hi;
    opc_dtype_range(s->state.dtype, &lo, &hi);
    for (uint32_t f = 0; f < s->filters; f++) {
        int32_t sum = 0;
        for (uint32_t i = 0; i < s->inputs; i++) {
            sum = opc_add32(sum, *w++ * (x[i] - zero));
        }
        const int32_t value = opc_clamp(opc_mbqm(sum, t->to_state), lo, hi);
        const uint32_t at = (b * s->filters + f + 1U) * s->memory - 1U;
        opc_store_int(&s->state, at, opc_zero_point(&s->state, 0) + value); /* wraps in the state's width */
    }
}

static int32_t weigh(const opc_svdf *s, uint32_t b, uint32_t f) {
    const int32_t zero = opc_zero_point(&s->state, 0);
    const uint32_t from = (b * s->filters + f) * s->memory;
    int32_t sum = 0;
    for (uint32_t k = 0; k < s->memory; k++) {
        const int32_t past = opc_load_int(&s->state, from + k) - zero;
        sum = opc_add32(sum, opc_mul32(opc_load_int(&s->w_time, f * s->memory + k), past));
    }
    return sum;
}

static opc_status invoke(opc_node *node) {
    integer t;
    OPC_TRY(set_up(node, &t));
    const opc_svdf *s = &t.s;
    const int32_t zero = opc_zero_point(&s->y, 0);
    int8_t *y = s->y.data;
    opc_svdf_shift(s);
    for (uint32_t b = 0; b < s->batches; b++) {
        feature(&t, opc_i8(&s->x) + b * s->inputs, b);
        for (uint32_t u = 0; u < s->units; u++) {
            int32_t sum = s->bias.data == NULL ? 0 : opc_i32(&s->bias)[u];
            for (uint32_t r = 0; r < s->rank; r++) {
                sum = opc_add32(sum, weigh(s, b, u * s->rank + r));
            }
            *y++ = (int8_t)opc_clamp(opc_add32(opc_mbqm(sum, t.to_output), zero), INT8_MIN, INT8_MAX);
        }
    }
    return OPC_OK;
}

const opc_op opc_svdf_int8 = {
    .code = OPC_CODE_SVDF, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_INT8), .prepare = prepare, .invoke = invoke};
