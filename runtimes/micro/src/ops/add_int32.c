#include "kernel_runs.h"

OPC_RUN(add, int32_t, int32_t, opc_add32(a, b))

static opc_status invoke(opc_node *node) {
    return opc_active_pair(node, add);
}

const opc_op opc_add_int32 = {.code = OPC_CODE_ADD,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT32),
                              .prepare = opc_active_pair_prepare,
                              .invoke = invoke};
