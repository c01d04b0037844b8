#include "kernel_reduce.h"

static opc_status invoke(opc_node *node) {
    return opc_reduce_extreme(node, opc_find_whole, true);
}

const opc_op opc_reduce_max_int8 = {.code = OPC_CODE_REDUCE_MAX,
                                    .key = OPC_KEY_INPUT0,
                                    .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) | OPC_BIT(OPC_INT16) |
                                             OPC_BIT(OPC_INT32) | OPC_BIT(OPC_INT64),
                                    .prepare = opc_reduce_extreme_prepare,
                                    .invoke = invoke};
