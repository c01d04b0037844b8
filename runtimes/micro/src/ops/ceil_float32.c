#include <math.h>

#include "kernel_map.h"

static float up(float x) {
    return ceilf(x);
}

static opc_status invoke(opc_node *node) {
    return opc_map_float(node, up);
}

const opc_op opc_ceil_float32 = {.code = OPC_CODE_CEIL,
                                 .key = OPC_KEY_INPUT0,
                                 .flags = OPC_INPLACE_INPUT0,
                                 .types = OPC_BIT(OPC_FLOAT32),
                                 .prepare = opc_map_prepare,
                                 .invoke = invoke};
