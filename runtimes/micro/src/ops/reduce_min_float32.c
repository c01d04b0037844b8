#include "kernel_reduce.h"

static opc_status invoke(opc_node *node) {
    return opc_reduce_extreme(node, opc_find_float, false);
}

const opc_op opc_reduce_min_float32 = {.code = OPC_CODE_REDUCE_MIN,
                                       .key = OPC_KEY_INPUT0,
                                       .types = OPC_BIT(OPC_FLOAT32),
                                       .prepare = opc_reduce_extreme_prepare,
                                       .invoke = invoke};
