#include "kernel_reduce.h"

static opc_status invoke(opc_node *node) {
    return opc_reduce_whole(node, NULL);
}

const opc_op opc_sum_int32 = {.code = OPC_CODE_SUM,
                              .key = OPC_KEY_INPUT0,
                              .types = OPC_BIT(OPC_INT32) | OPC_BIT(OPC_INT64),
                              .prepare = opc_reduction_prepare,
                              .invoke = invoke};
