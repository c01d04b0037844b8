#include "kernel_compare.h"

static opc_status invoke(opc_node *node) {
    return opc_compare(node, OPC_GREATER);
}

const opc_op opc_greater = {.code = OPC_CODE_GREATER,
                            .key = OPC_KEY_INPUT0,
                            .types =
                                OPC_BIT(OPC_FLOAT32) | OPC_BIT(OPC_INT16) | OPC_BIT(OPC_INT32) | OPC_BIT(OPC_INT64),
                            .prepare = opc_compare_prepare,
                            .invoke = invoke};
