#include "kernel_runs.h"

/* Towards zero; the one overflow wraps. */
OPC_RUN(divide, int32_t, int32_t, b == -1 ? opc_sub32(0, a) : a / b)

static opc_status invoke(opc_node *node) {
    OPC_TRY(opc_refuse_zero(node));
    return opc_active_pair(node, divide);
}

const opc_op opc_div_int32 = {.code = OPC_CODE_DIV,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT32),
                              .prepare = opc_active_pair_prepare,
                              .invoke = invoke};
