#include "kernel_map.h"

static float negative(float x) {
    return -x;
}

static opc_status invoke(opc_node *node) {
    return opc_map_float(node, negative);
}

const opc_op opc_neg_float32 = {.code = OPC_CODE_NEG,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0,
                                .types = OPC_BIT(OPC_FLOAT32),
                                .prepare = opc_map_prepare,
                                .invoke = invoke};
