#include "kernel_compare.h"

static opc_status invoke(opc_node *node) {
    return opc_compare_real(node, OPC_GREATER | OPC_EQUAL);
}

const opc_op opc_greater_equal_int8 = {.code = OPC_CODE_GREATER_EQUAL,
                                       .key = OPC_KEY_INPUT0,
                                       .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                       .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8),
                                       .prepare = opc_compare_real_prepare,
                                       .invoke = invoke};
