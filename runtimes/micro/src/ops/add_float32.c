#include "kernel_runs.h"

OPC_RUN(add, float, float, a + b)

static opc_status invoke(opc_node *node) {
    return opc_active_pair(node, add);
}

const opc_op opc_add_float32 = {.code = OPC_CODE_ADD,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                .types = OPC_BIT(OPC_FLOAT32),
                                .prepare = opc_active_pair_prepare,
                                .invoke = invoke};
