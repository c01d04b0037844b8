#include <math.h>

#include "kernel_map.h"

static float elu(float x) {
    return x < 0.0f ? expm1f(x) : x;
}

static opc_status invoke(opc_node *node) {
    return opc_map_float(node, elu);
}

const opc_op opc_elu_float32 = {.code = OPC_CODE_ELU,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0,
                                .types = OPC_BIT(OPC_FLOAT32),
                                .prepare = opc_map_prepare,
                                .invoke = invoke};
