#include "kernel_runs.h"

/* Bits that operands are shifted up by: the squares of 255 << 7 and of 65535 / 2 fit in 32 bits. */
static int32_t headroom(const opc_binary *t) {
    return t->out.dtype == OPC_INT16 ? 0 : 7;
}

static opc_status check(opc_node *node, opc_binary *t) {
    opc_tensor first;
    OPC_TRY(opc_input(node, 0, &first) ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "an input is missing"));
    OPC_TRY(opc_binary_check(node, t, first.dtype));
    OPC_TRY(opc_need_quantized(node, &t->in[0], &t->in[1]));
    OPC_TRY(opc_need_quantized(node, &t->out, &t->out));
    const bool symmetric =
        opc_zero_point(&t->in[0], 0) == 0 && opc_zero_point(&t->in[1], 0) == 0 && opc_zero_point(&t->out, 0) == 0;
    return symmetric || t->out.dtype != OPC_INT16 ? OPC_OK
                                                  : OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
}

static opc_status prepare(opc_node *node) {
    opc_binary t;
    OPC_TRY(check(node, &t));
    opc_sum *s = opc_alloc(node, sizeof *s);
    if (s == NULL) {
        return OPC_NO_MEMORY;
    }
    const float scale_a = opc_scale(&t.in[0], 0);
    const float scale_b = opc_scale(&t.in[1], 0);
    const float larger = scale_a > scale_b ? scale_a : scale_b;
    s->input[0] = opc_multiplier_of(scale_a, 1.0f, larger, -1);
    s->input[1] = opc_multiplier_of(scale_b, 1.0f, larger, -1);
    s->output = opc_multiplier_of(larger, larger, opc_scale(&t.out, 0), 2 - 2 * headroom(&t));
    opc_dtype_range(t.out.dtype, &s->lo, &s->hi);
    return opc_multiplier_vs_one(s->output) < 0
               ? OPC_OK
               : OPC_FAIL(node, OPC_UNSUPPORTED, "output scale too small beside the input scales");
}

/* An operand on twice the larger scale. */
static int32_t on_grid(const opc_tensor *t, uint32_t i, int32_t shift, opc_multiplier m) {
    return opc_mbqm(opc_shift_left(opc_load_int(t, i) - opc_zero_point(t, 0), shift), m); /* <= 2^15 */
}

static opc_status invoke(opc_node *node) {
    opc_binary t;
    opc_walk w;
    (void)opc_binary_views(node, &t);
    const opc_sum *s = opc_data(node);
    const int32_t shift = headroom(&t);
    const int32_t zero = opc_zero_point(&t.out, 0);
    opc_walk_start(&w, &t.out, t.in, 2);
    for (uint32_t i = 0; i < t.out.elements; i++, opc_walk_next(&w)) {
        const int32_t difference =
            on_grid(&t.in[0], w.offset[0], shift, s->input[0]) - on_grid(&t.in[1], w.offset[1], shift, s->input[1]);
        const int32_t square = opc_mul32(difference, difference);
        opc_store_int(&t.out, i, opc_clamp_sum(opc_mbqm(square, s->output), zero, s->lo, s->hi));
    }
    return OPC_OK;
}

const opc_op opc_squared_difference_int8 = {.code = OPC_CODE_SQUARED_DIFFERENCE,
                                            .key = OPC_KEY_INPUT0,
                                            .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                            .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_INT16),
                                            .prepare = prepare,
                                            .invoke = invoke};
