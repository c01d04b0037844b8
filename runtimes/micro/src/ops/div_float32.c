#include "kernel_runs.h"

OPC_RUN(divide, float, float, a / b)

static opc_status invoke(opc_node *node) {
    return opc_active_pair(node, divide);
}

const opc_op opc_div_float32 = {.code = OPC_CODE_DIV,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                .types = OPC_BIT(OPC_FLOAT32),
                                .prepare = opc_active_pair_prepare,
                                .invoke = invoke};
