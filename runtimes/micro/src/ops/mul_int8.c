#include "binary.h"
#include "kernel_util.h"

static opc_status set_up(opc_node *node, opc_binary *b, int32_t *lo, int32_t *hi) {
    opc_tensor first;
    OPC_TRY(opc_input(node, 0, &first) ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "an input is missing"));
    OPC_TRY(opc_binary_check(node, b, first.dtype));
    OPC_TRY(opc_need_quantized(node, &b->in[0], &b->in[1]));
    OPC_TRY(opc_need_quantized(node, &b->out, &b->out));
    return opc_activation_range(node, &b->out, opc_option_u8(node, 0, OPC_ACT_NONE), lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_binary b;
    int32_t lo;
    int32_t hi;
    return set_up(node, &b, &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_binary b;
    opc_walk w;
    int32_t lo;
    int32_t hi;
    OPC_TRY(set_up(node, &b, &lo, &hi));
    const opc_multiplier m = opc_multiplier_of(opc_scale(&b.in[0], 0), opc_scale(&b.in[1], 0), opc_scale(&b.out, 0), 0);
    const int32_t zero0 = opc_zero_8(&b.in[0]);
    const int32_t zero1 = opc_zero_8(&b.in[1]);
    const int32_t zero = opc_zero_point(&b.out, 0);
    const uint8_t flip = opc_flip(&b.out);
    opc_walk_start(&w, &b.out, b.in, 2);
    for (uint32_t i = 0; i < b.out.elements; i++, opc_walk_next(&w)) {
        const int32_t x0 = opc_read_8(opc_u8(&b.in[0]) + w.offset[0], flip) - zero0;
        const int32_t x1 = opc_read_8(opc_u8(&b.in[1]) + w.offset[1], flip) - zero1;
        ((uint8_t *)b.out.data)[i] = (uint8_t)opc_clamp(opc_add32(opc_mbqm(x0 * x1, m), zero), lo, hi);
    }
    return OPC_OK;
}

const opc_op opc_mul_int8 = {.code = OPC_CODE_MUL,
                             .key = OPC_KEY_INPUT0,
                             .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                             .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8),
                             .prepare = prepare,
                             .invoke = invoke};
