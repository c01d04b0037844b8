#include "kernel_compare.h"

static opc_status invoke(opc_node *node) {
    return opc_choose(node, OPC_LESS | OPC_EQUAL);
}

const opc_op opc_minimum = {.code = OPC_CODE_MINIMUM,
                            .key = OPC_KEY_INPUT0,
                            .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                            .types = OPC_BIT(OPC_FLOAT32) | OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) |
                                     OPC_BIT(OPC_INT16) | OPC_BIT(OPC_INT32) | OPC_BIT(OPC_INT64),
                            .prepare = opc_choose_prepare,
                            .invoke = invoke};
