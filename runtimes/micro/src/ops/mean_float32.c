#include "kernel_reduce.h"

static opc_status invoke(opc_node *node) {
    return opc_reduce_float(node, true);
}

const opc_op opc_mean_float32 = {.code = OPC_CODE_MEAN,
                                 .key = OPC_KEY_INPUT0,
                                 .types = OPC_BIT(OPC_FLOAT32),
                                 .prepare = opc_reduction_prepare,
                                 .invoke = invoke};
