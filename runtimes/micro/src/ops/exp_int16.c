#include <math.h>

#include "kernel_table.h"

static float exp_of(float x) {
    return expf(x);
}

static opc_status prepare(opc_node *node) {
    return opc_table_prepare(node, exp_of);
}

const opc_op opc_exp_int16 = {.code = OPC_CODE_EXP,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0,
                              .types = OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = opc_table_invoke};
