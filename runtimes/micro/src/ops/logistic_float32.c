#include "kernel_map.h"
#include "kernel_real.h"

/* Beyond ln 2^24 the sum 1 + exp(-x) rounds to 1, or to exp(-x), which would overflow: there exp(x) is the result. */
static float logistic(float x) {
    return x < -16.635532f ? opc_exp(x) : 1.0f / (1.0f + opc_exp(-x));
}

static opc_status invoke(opc_node *node) {
    return opc_map_float(node, logistic);
}

const opc_op opc_logistic_float32 = {.code = OPC_CODE_LOGISTIC,
                                     .key = OPC_KEY_INPUT0,
                                     .flags = OPC_INPLACE_INPUT0,
                                     .types = OPC_BIT(OPC_FLOAT32),
                                     .prepare = opc_map_prepare,
                                     .invoke = invoke};
