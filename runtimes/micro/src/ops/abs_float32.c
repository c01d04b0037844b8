#include <math.h>

#include "kernel_map.h"

static float magnitude(float x) {
    return fabsf(x);
}

static opc_status invoke(opc_node *node) {
    return opc_map_float(node, magnitude);
}

const opc_op opc_abs_float32 = {.code = OPC_CODE_ABS,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0,
                                .types = OPC_BIT(OPC_FLOAT32),
                                .prepare = opc_map_prepare,
                                .invoke = invoke};
