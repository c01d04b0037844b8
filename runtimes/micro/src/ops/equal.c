#include "kernel_compare.h"

static opc_status invoke(opc_node *node) {
    return opc_compare(node, OPC_EQUAL);
}

const opc_op opc_equal = {.code = OPC_CODE_EQUAL,
                          .key = OPC_KEY_INPUT0,
                          .types = OPC_BIT(OPC_FLOAT32) | OPC_BIT(OPC_INT16) | OPC_BIT(OPC_INT32) | OPC_BIT(OPC_INT64) |
                                   OPC_BIT(OPC_BOOL),
                          .prepare = opc_compare_prepare,
                          .invoke = invoke};
