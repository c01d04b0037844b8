#include "binary.h"
#include "kernel_clamp.h"

static bool all_zero_points_zero(const opc_binary *b) {
    return opc_zero_point(&b->in[0], 0) == 0 && opc_zero_point(&b->in[1], 0) == 0 && opc_zero_point(&b->out, 0) == 0;
}

/* Without any quantization the raw product modulo 2^16. */
static opc_status set_up(opc_node *node, opc_binary *b, opc_multiplier *m, int32_t *lo, int32_t *hi) {
    OPC_TRY(opc_binary_check(node, b, OPC_INT16));
    const uint8_t activation = opc_option_u8(node, 0, OPC_ACT_NONE);
    if (b->in[0].scale_count == 0 && b->in[1].scale_count == 0 && b->out.scale_count == 0) {
        int64_t low;
        int64_t high;
        OPC_TRY(opc_plain_activation_range(node, activation, &low, &high));
        *lo = (int32_t)opc_clamp64(low, INT16_MIN, INT16_MAX);
        *hi = (int32_t)opc_clamp64(high, INT16_MIN, INT16_MAX);
        return OPC_OK;
    }
    OPC_TRY(opc_need_quantized(node, &b->in[0], &b->in[1]));
    OPC_TRY(opc_need_quantized(node, &b->out, &b->out));
    if (!all_zero_points_zero(b)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    *m = opc_multiplier_of(opc_scale(&b->in[0], 0), opc_scale(&b->in[1], 0), opc_scale(&b->out, 0), 0);
    return opc_activation_range(node, &b->out, activation, lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_binary b;
    opc_multiplier m;
    int32_t lo;
    int32_t hi;
    return set_up(node, &b, &m, &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_binary b;
    opc_walk w;
    opc_multiplier m = {0, 0};
    int32_t lo;
    int32_t hi;
    OPC_TRY(set_up(node, &b, &m, &lo, &hi));
    const bool raw = b.out.scale_count == 0;
    opc_walk_start(&w, &b.out, b.in, 2);
    for (uint32_t i = 0; i < b.out.elements; i++, opc_walk_next(&w)) {
        const int32_t product = opc_i16(&b.in[0])[w.offset[0]] * opc_i16(&b.in[1])[w.offset[1]]; /* <= 2^30 */
        ((int16_t *)b.out.data)[i] = (int16_t)opc_clamp(raw ? (int16_t)product : opc_mbqm(product, m), lo, hi);
    }
    return OPC_OK;
}

const opc_op opc_mul_int16 = {.code = OPC_CODE_MUL,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = invoke};
