#include "kernel_runs.h"

/* Modulo 2^64, without undefined behaviour. */
OPC_RUN(subtract, int64_t, int64_t, (uint64_t)a - (uint64_t)b)

static opc_status invoke(opc_node *node) {
    return opc_active_pair(node, subtract);
}

const opc_op opc_sub_int64 = {.code = OPC_CODE_SUB,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT64),
                              .prepare = opc_active_pair_prepare,
                              .invoke = invoke};
