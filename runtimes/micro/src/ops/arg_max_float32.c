#include "kernel_order.h"

static opc_status invoke(opc_node *node) {
    return opc_arg_extreme(node, opc_find_float, true);
}

const opc_op opc_arg_max_float32 = {.code = OPC_CODE_ARG_MAX,
                                    .key = OPC_KEY_INPUT0,
                                    .types = OPC_BIT(OPC_FLOAT32),
                                    .prepare = opc_arg_prepare,
                                    .invoke = invoke};
