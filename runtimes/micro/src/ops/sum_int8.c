#include "kernel_reduce.h"

static opc_status invoke(opc_node *node) {
    return opc_reduce_quantized(node, false);
}

const opc_op opc_sum_int8 = {.code = OPC_CODE_SUM,
                             .key = OPC_KEY_INPUT0,
                             .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) | OPC_BIT(OPC_INT16),
                             .prepare = opc_reduce_quantized_prepare,
                             .invoke = invoke};
