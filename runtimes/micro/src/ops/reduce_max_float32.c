#include "kernel_reduce.h"

static opc_status invoke(opc_node *node) {
    return opc_reduce_extreme(node, opc_find_float, true);
}

const opc_op opc_reduce_max_float32 = {.code = OPC_CODE_REDUCE_MAX,
                                       .key = OPC_KEY_INPUT0,
                                       .types = OPC_BIT(OPC_FLOAT32),
                                       .prepare = opc_reduce_extreme_prepare,
                                       .invoke = invoke};
