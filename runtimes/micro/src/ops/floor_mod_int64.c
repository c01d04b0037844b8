#include "kernel_runs.h"

/* b != 0; by -1 nothing is left, and the division could overflow. */
static int64_t modulo(int64_t a, int64_t b) {
    const int64_t rest = b == -1 ? 0 : a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

OPC_RUN(divide, int64_t, int64_t, modulo(a, b))

static opc_status invoke(opc_node *node) {
    OPC_TRY(opc_refuse_zero(node));
    return opc_pair(node, divide);
}

const opc_op opc_floor_mod_int64 = {.code = OPC_CODE_FLOOR_MOD,
                                    .key = OPC_KEY_INPUT0,
                                    .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                    .types = OPC_BIT(OPC_INT64),
                                    .prepare = opc_pair_prepare,
                                    .invoke = invoke};
