#include "kernel_real.h"
#include "kernel_table.h"

static opc_status prepare(opc_node *node) {
    return opc_table_prepare(node, opc_exp);
}

const opc_op opc_exp_int16 = {.code = OPC_CODE_EXP,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0,
                              .types = OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = opc_table_invoke};
