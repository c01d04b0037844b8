#include "binary.h"
#include "kernel_fixed.h"
#include "kernel_util.h"

static opc_status set_up(opc_node *node, opc_binary *b) {
    OPC_TRY(opc_binary_check(node, b, OPC_BOOL));
    return opc_need_quantized(node, &b->in[0], &b->in[1]);
}

static opc_status prepare(opc_node *node) {
    opc_binary b;
    return set_up(node, &b);
}

/* Both sides as real values with 8 fractional bits, rounded: equal roundings do not compare as less. */
static opc_status invoke(opc_node *node) {
    opc_binary b;
    opc_walk w;
    opc_multiplier m[2];
    OPC_TRY(set_up(node, &b));
    for (uint32_t k = 0; k < 2; k++) {
        m[k] = opc_multiplier_of(opc_scale(&b.in[k], 0), 1.0f, 1.0f, 0);
    }
    const int32_t zero0 = opc_zero_8(&b.in[0]);
    const int32_t zero1 = opc_zero_8(&b.in[1]);
    const uint8_t flip = opc_flip(&b.in[0]);
    opc_walk_start(&w, &b.out, b.in, 2);
    for (uint32_t i = 0; i < b.out.elements; i++, opc_walk_next(&w)) {
        const int32_t x0 = opc_read_8(opc_u8(&b.in[0]) + w.offset[0], flip) - zero0;
        const int32_t x1 = opc_read_8(opc_u8(&b.in[1]) + w.offset[1], flip) - zero1;
        ((uint8_t *)b.out.data)[i] = opc_mbqm_any(x0 * 256, m[0]) < opc_mbqm_any(x1 * 256, m[1]) ? 1U : 0U;
    }
    return OPC_OK;
}

const opc_op opc_less_int8 = {.code = OPC_CODE_LESS,
                              .key = OPC_KEY_INPUT0,
                              .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8),
                              .prepare = prepare,
                              .invoke = invoke};
