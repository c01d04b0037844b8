#include "kernel_sum.h"

static opc_status prepare(opc_node *node) {
    return opc_sum_prepare(node, OPC_SUM_SHIFT_8);
}

static opc_status invoke(opc_node *node) {
    return opc_sum_8(node, 1);
}

const opc_op opc_add_int8 = {.code = OPC_CODE_ADD,
                             .key = OPC_KEY_INPUT0,
                             .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                             .types = OPC_BIT(OPC_INT8),
                             .prepare = prepare,
                             .invoke = invoke};
