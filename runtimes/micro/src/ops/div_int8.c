#include "binary.h"
#include "kernel_fixed.h"
#include "kernel_util.h"

typedef struct quotient {
    opc_binary t;
    opc_multiplier m; /* s_0 / (s_1 * s_y) */
    int32_t lo;
    int32_t hi;
} quotient;

/* TensorFlow Lite Micro, which has int8 only, computes in double; TensorFlow Lite's other rows are in float32. The
 * product of two floats is exact in double and neither 0 nor infinite; a quotient in float32 may be infinite: 2^128 or
 * more. */
static opc_status set_multiplier(opc_node *node, quotient *q) {
    const float a = opc_scale(&q->t.in[0], 0);
    const float b = opc_scale(&q->t.in[1], 0);
    const float c = opc_scale(&q->t.out, 0);
    if (q->t.out.dtype == OPC_INT8) { /* no conditional expression: GCC predicates its conversions on a Cortex-M55 */
        q->m = opc_multiplier_of_double((double)a / ((double)b * (double)c));
    } else {
        q->m = opc_multiplier_of(a / (b * c), 1.0f, 1.0f, 0);
    }
    return q->m.shift <= 128 ? OPC_OK : OPC_FAIL(node, OPC_UNSUPPORTED, "the scales' quotient overflows");
}

static opc_status set_up(opc_node *node, quotient *q) {
    opc_tensor first;
    OPC_TRY(opc_input(node, 0, &first) ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "an input is missing"));
    OPC_TRY(opc_binary_check(node, &q->t, first.dtype));
    OPC_TRY(opc_need_quantized(node, &q->t.in[0], &q->t.in[1]));
    OPC_TRY(opc_need_quantized(node, &q->t.out, &q->t.out));
    OPC_TRY(set_multiplier(node, q));
    return opc_activation_range(node, &q->t.out, opc_option_u8(node, 0, OPC_ACT_NONE), &q->lo, &q->hi);
}

/* a / b rescaled; b != 0. The reciprocal of |b| and a shifted up to the top bit keep 31 bits of the quotient.
 * TensorFlow Lite then divides by 2^-shift even where that is beyond 2^31, which C does not define, and gets large
 * numbers for tiny numerators; the quotient there is below half a quantum, which opc_mbqm_any returns as 0. */
static int32_t divide(int32_t a, int32_t b, opc_multiplier m) {
    const int32_t x = b < 0 ? -a : a;
    int32_t bits;
    const int32_t inverse = opc_fx_reciprocal((uint32_t)(b < 0 ? -b : b), 31, &bits);
    const int32_t headroom = opc_leading_zeros((uint32_t)(x < 0 ? ~x : x)) - 1;
    const int32_t mantissa = opc_srdhm(opc_shift_left(x, headroom), inverse);
    m.shift = m.shift - bits - headroom;
    return opc_mbqm_any(mantissa, m);
}

static opc_status prepare(opc_node *node) {
    quotient q;
    return set_up(node, &q);
}

static opc_status invoke(opc_node *node) {
    quotient q;
    opc_walk w;
    OPC_TRY(set_up(node, &q));
    const opc_tensor *const in = q.t.in;
    const int32_t zero = opc_zero_point(&q.t.out, 0);
    opc_walk_start(&w, &q.t.out, in, 2);
    for (uint32_t i = 0; i < q.t.out.elements; i++, opc_walk_next(&w)) {
        const int32_t a = opc_load_int(&in[0], w.offset[0]) - opc_zero_point(&in[0], 0);
        const int32_t b = opc_load_int(&in[1], w.offset[1]) - opc_zero_point(&in[1], 0);
        if (b == 0) {
            return OPC_FAIL(node, OPC_INVALID_INPUT, "division by zero");
        }
        const int32_t value =
            opc_clamp(divide(a, b, q.m), -(1 << 20), 1 << 20); /* so that the zero point cannot overflow */
        opc_store_int(&q.t.out, i, opc_clamp(value + zero, q.lo, q.hi));
    }
    return OPC_OK;
}

const opc_op opc_div_int8 = {.code = OPC_CODE_DIV,
                             .key = OPC_KEY_INPUT0,
                             .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                             .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) | OPC_BIT(OPC_INT16),
                             .prepare = prepare,
                             .invoke = invoke};
