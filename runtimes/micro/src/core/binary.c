#include "binary.h"

bool opc_binary_views(const opc_node *node, opc_binary *b) {
    const bool inputs = opc_input(node, 0, &b->in[0]) && opc_input(node, 1, &b->in[1]);
    return inputs && opc_output(node, 0, &b->out) && opc_input_count(node) == 2 && opc_output_count(node) == 1;
}

opc_status opc_binary_check(opc_node *node, opc_binary *b, uint8_t out_dtype) {
    if (!opc_binary_views(node, b)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "needs two inputs and one output");
    }
    if (b->in[0].dtype != b->in[1].dtype || b->out.dtype != out_dtype) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "types of inputs and output do not fit");
    }
    if (!opc_broadcasts(&b->out, b->in, 2)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "shapes do not broadcast to the output");
    }
    return OPC_OK;
}

static bool zero_points_allowed(const opc_binary *b) {
    const bool zero =
        opc_zero_point(&b->in[0], 0) == 0 && opc_zero_point(&b->in[1], 0) == 0 && opc_zero_point(&b->out, 0) == 0;
    return b->out.dtype != OPC_INT16 || zero;
}

opc_status opc_sum_prepare(opc_node *node, int32_t left_shift) {
    opc_binary b;
    opc_input(node, 0, &b.in[0]);
    opc_status status = opc_binary_check(node, &b, b.in[0].dtype);
    if (status != OPC_OK) {
        return status;
    }
    if (!opc_is_quantized(&b.in[0]) || !opc_is_quantized(&b.in[1]) || !opc_is_quantized(&b.out)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "needs one scale and a zero point in range for each tensor");
    }
    if (!zero_points_allowed(&b)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    opc_sum *s = opc_alloc(node, sizeof *s);
    if (s == NULL) {
        return OPC_NO_MEMORY;
    }
    const float scale_a = opc_scale(&b.in[0], 0);
    const float scale_b = opc_scale(&b.in[1], 0);
    /* Positive floats order as their bits do, but only the larger matters: twice it is the common grid. */
    const float larger = scale_a > scale_b ? scale_a : scale_b;
    s->input[0] = opc_multiplier_of(scale_a, 1.0f, larger, -1);
    s->input[1] = opc_multiplier_of(scale_b, 1.0f, larger, -1);
    s->output = opc_multiplier_of(larger, 1.0f, opc_scale(&b.out, 0), 1 - left_shift);
    if (opc_multiplier_vs_one(s->output) >= 0) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "output scale too small beside the input scales");
    }
    return opc_activation_range(node, &b.out, opc_option_u8(node, 0, OPC_ACT_NONE), &s->lo, &s->hi);
}

int32_t opc_sum_element(const opc_sum *s, int32_t a, int32_t b, int32_t sign, int32_t left_shift, int32_t zero) {
    /* 8-bit: |a| <= 255, so |a| << 20 < 2^28; int16: |a| << 15 <= 2^30. Input factors are at most 1/2. */
    const int32_t x = opc_mbqm(opc_shift_left(a, left_shift), s->input[0]);
    const int32_t y = opc_mbqm(opc_shift_left(b, left_shift), s->input[1]);
    return opc_clamp_sum(opc_mbqm(x + sign * y, s->output), zero, s->lo, s->hi);
}
