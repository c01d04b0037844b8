#include "kernel_runs.h"

OPC_RUN(add, int64_t, int64_t, opc_add64(a, b))

static opc_status invoke(opc_node *node) {
    return opc_active_pair(node, add);
}

const opc_op opc_add_int64 = {.code = OPC_CODE_ADD,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT64),
                              .prepare = opc_active_pair_prepare,
                              .invoke = invoke};
