#include "kernel_map.h"

/* x * relu6(x + 3) / 6 */
static float hard_swish(float x) {
    const float gate = x + 3.0f;
    return x * (gate < 0.0f ? 0.0f : gate > 6.0f ? 6.0f : gate) / 6.0f;
}

static opc_status invoke(opc_node *node) {
    return opc_map_float(node, hard_swish);
}

const opc_op opc_hard_swish_float32 = {.code = OPC_CODE_HARD_SWISH,
                                       .key = OPC_KEY_INPUT0,
                                       .flags = OPC_INPLACE_INPUT0,
                                       .types = OPC_BIT(OPC_FLOAT32),
                                       .prepare = opc_map_prepare,
                                       .invoke = invoke};
