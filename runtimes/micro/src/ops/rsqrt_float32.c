#include <math.h>

#include "kernel_map.h"

static float inverse_root(float x) {
    return 1.0f / sqrtf(x);
}

static opc_status invoke(opc_node *node) {
    return opc_map_float(node, inverse_root);
}

const opc_op opc_rsqrt_float32 = {.code = OPC_CODE_RSQRT,
                                  .key = OPC_KEY_INPUT0,
                                  .flags = OPC_INPLACE_INPUT0,
                                  .types = OPC_BIT(OPC_FLOAT32),
                                  .prepare = opc_map_prepare,
                                  .invoke = invoke};
