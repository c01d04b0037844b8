#include <math.h>

#include "kernel_runs.h"

/* The remainder of a division cut towards zero is exact; one addition gives it the divisor's sign. */
static float modulo(float a, float b) {
    const float rest = fmodf(a, b);
    return rest != 0.0f && (rest < 0.0f) != (b < 0.0f) ? rest + b : rest;
}

OPC_RUN(divide, float, float, modulo(a, b))

static opc_status invoke(opc_node *node) {
    return opc_pair(node, divide);
}

const opc_op opc_floor_mod_float32 = {.code = OPC_CODE_FLOOR_MOD,
                                      .key = OPC_KEY_INPUT0,
                                      .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                      .types = OPC_BIT(OPC_FLOAT32),
                                      .prepare = opc_pair_prepare,
                                      .invoke = invoke};
