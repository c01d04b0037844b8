#include <math.h>

#include "kernel_map.h"

/* Of two nearest integers the even one: the rounding mode that a processor starts with. */
static float nearest(float x) {
    return rintf(x);
}

static opc_status invoke(opc_node *node) {
    return opc_map_float(node, nearest);
}

const opc_op opc_round_float32 = {.code = OPC_CODE_ROUND,
                                  .key = OPC_KEY_INPUT0,
                                  .flags = OPC_INPLACE_INPUT0,
                                  .types = OPC_BIT(OPC_FLOAT32),
                                  .prepare = opc_map_prepare,
                                  .invoke = invoke};
