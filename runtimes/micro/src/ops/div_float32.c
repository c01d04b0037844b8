#include "binary.h"
#include "kernel_util.h"

static opc_status set_up(opc_node *node, opc_binary *b, float *lo, float *hi) {
    OPC_TRY(opc_binary_check(node, b, OPC_FLOAT32));
    return opc_float_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_binary b;
    float lo;
    float hi;
    return set_up(node, &b, &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_binary b;
    opc_walk w;
    float lo;
    float hi;
    OPC_TRY(set_up(node, &b, &lo, &hi));
    opc_walk_start(&w, &b.out, b.in, 2);
    for (uint32_t i = 0; i < b.out.elements; i++, opc_walk_next(&w)) {
        const float x0 = opc_f32(&b.in[0])[w.offset[0]];
        const float x1 = opc_f32(&b.in[1])[w.offset[1]];
        ((float *)b.out.data)[i] = opc_clamp_float(x0 / x1, lo, hi);
    }
    return OPC_OK;
}

const opc_op opc_div_float32 = {.code = OPC_CODE_DIV,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                .types = OPC_BIT(OPC_FLOAT32),
                                .prepare = prepare,
                                .invoke = invoke};
