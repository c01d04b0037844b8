#include "kernel_map.h"
#include "kernel_real.h"

static opc_status invoke(opc_node *node) {
    return opc_map_float(node, opc_exp);
}

const opc_op opc_exp_float32 = {.code = OPC_CODE_EXP,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0,
                                .types = OPC_BIT(OPC_FLOAT32),
                                .prepare = opc_map_prepare,
                                .invoke = invoke};
