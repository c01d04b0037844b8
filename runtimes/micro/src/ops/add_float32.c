#include "binary.h"

static opc_status prepare(opc_node *node) {
    opc_binary t;
    float lo;
    float hi;
    const opc_status status = opc_binary_check(node, &t, OPC_FLOAT32);
    return status != OPC_OK ? status : opc_float_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_binary t;
    opc_walk w;
    float lo;
    float hi;
    opc_binary_views(node, &t);
    opc_float_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), &lo, &hi);
    const float *a = t.in[0].data;
    const float *b = t.in[1].data;
    float *y = t.out.data;
    opc_walk_start(&w, &t.out, t.in, 2);
    for (uint32_t i = 0; i < t.out.elements; i++, opc_walk_next(&w)) {
        y[i] = opc_clamp_float(a[w.offset[0]] + b[w.offset[1]], lo, hi);
    }
    return OPC_OK;
}

const opc_op opc_add_float32 = {.code = OPC_CODE_ADD,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                .types = OPC_BIT(OPC_FLOAT32),
                                .prepare = prepare,
                                .invoke = invoke};
