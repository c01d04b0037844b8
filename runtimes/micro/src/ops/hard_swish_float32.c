#include "kernel_util.h"

/* x * relu6(x + 3) / 6 */
static float hard_swish(float x) {
    const float gate = x + 3.0f;
    return x * (gate < 0.0f ? 0.0f : gate > 6.0f ? 6.0f : gate) / 6.0f;
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    return opc_fetch_unary(node, &x, &y);
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch_unary(node, &x, &y));
    for (uint32_t i = 0; i < x.elements; i++) {
        ((float *)y.data)[i] = hard_swish(opc_f32(&x)[i]);
    }
    return OPC_OK;
}

const opc_op opc_hard_swish_float32 = {.code = OPC_CODE_HARD_SWISH,
                                       .key = OPC_KEY_INPUT0,
                                       .flags = OPC_INPLACE_INPUT0,
                                       .types = OPC_BIT(OPC_FLOAT32),
                                       .prepare = prepare,
                                       .invoke = invoke};
