#include "kernel_sum.h"

static opc_status prepare(opc_node *node) {
    return opc_sum_prepare(node, OPC_SUM_SHIFT_16);
}

static opc_status invoke(opc_node *node) {
    return opc_sum_16(node, -1);
}

const opc_op opc_sub_int16 = {.code = OPC_CODE_SUB,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = invoke};
