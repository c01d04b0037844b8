#include "kernel_runs.h"

/* The one overflow wraps. */
static int32_t floored(int32_t a, int32_t b) {
    if (b == -1) {
        return opc_sub32(0, a);
    }
    return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

static opc_status invoke(opc_node *node) {
    return opc_pair_divide_int(node, floored);
}

const opc_op opc_floor_div_int32 = {.code = OPC_CODE_FLOOR_DIV,
                                    .key = OPC_KEY_INPUT0,
                                    .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                    .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_INT16) | OPC_BIT(OPC_INT32),
                                    .prepare = opc_pair_prepare,
                                    .invoke = invoke};
