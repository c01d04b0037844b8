#include "kernel_runs.h"

/* b != 0; by -1 nothing is left, and the division could overflow. */
static int32_t modulo(int32_t a, int32_t b) {
    const int32_t rest = b == -1 ? 0 : a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static opc_status invoke(opc_node *node) {
    return opc_pair_divide_int(node, modulo);
}

const opc_op opc_floor_mod_int32 = {.code = OPC_CODE_FLOOR_MOD,
                                    .key = OPC_KEY_INPUT0,
                                    .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                    .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_INT16) | OPC_BIT(OPC_INT32),
                                    .prepare = opc_pair_prepare,
                                    .invoke = invoke};
