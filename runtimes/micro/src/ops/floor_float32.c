#include <math.h>

#include "kernel_map.h"

static float down(float x) {
    return floorf(x);
}

static opc_status invoke(opc_node *node) {
    return opc_map_float(node, down);
}

const opc_op opc_floor_float32 = {.code = OPC_CODE_FLOOR,
                                  .key = OPC_KEY_INPUT0,
                                  .flags = OPC_INPLACE_INPUT0,
                                  .types = OPC_BIT(OPC_FLOAT32),
                                  .prepare = opc_map_prepare,
                                  .invoke = invoke};
