#include "kernel_order.h"

static opc_status invoke(opc_node *node) {
    return opc_arg_extreme(node, opc_find_whole, false);
}

const opc_op opc_arg_min_int8 = {.code = OPC_CODE_ARG_MIN,
                                 .key = OPC_KEY_INPUT0,
                                 .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) | OPC_BIT(OPC_BOOL) |
                                          OPC_BIT(OPC_INT16) | OPC_BIT(OPC_INT32),
                                 .prepare = opc_arg_prepare,
                                 .invoke = invoke};
