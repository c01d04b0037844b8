#include "kernel_runs.h"

OPC_RUN(either, uint8_t, uint8_t, a != 0 || b != 0 ? 1U : 0U)

static opc_status invoke(opc_node *node) {
    return opc_pair(node, either);
}

const opc_op opc_logical_or = {.code = OPC_CODE_LOGICAL_OR,
                               .key = OPC_KEY_INPUT0,
                               .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                               .types = OPC_BIT(OPC_BOOL),
                               .prepare = opc_pair_prepare,
                               .invoke = invoke};
