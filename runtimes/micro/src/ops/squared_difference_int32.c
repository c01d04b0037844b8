#include "kernel_runs.h"

OPC_RUN(squared, int32_t, int32_t, opc_mul32(opc_sub32(a, b), opc_sub32(a, b)))

static opc_status invoke(opc_node *node) {
    return opc_pair(node, squared);
}

const opc_op opc_squared_difference_int32 = {.code = OPC_CODE_SQUARED_DIFFERENCE,
                                             .key = OPC_KEY_INPUT0,
                                             .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                             .types = OPC_BIT(OPC_INT32),
                                             .prepare = opc_pair_prepare,
                                             .invoke = invoke};
