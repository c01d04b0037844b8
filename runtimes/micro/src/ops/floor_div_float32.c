#include <math.h>

#include "kernel_runs.h"

/* The rounded quotient may be a whole number though the real one is not: then the remainder, which is exact, tells on
 * which side of it the real one lies. */
static float floored(float a, float b) {
    const float quotient = a / b;
    const float whole = floorf(quotient);
    const float rest = fabsf(fmodf(a, b));
    if (whole < quotient || rest == 0.0f) {
        return whole;
    }
    const bool nearer_to_zero = rest > fabsf(b) - rest;
    return nearer_to_zero == (quotient > 0.0f) ? whole - 1.0f : whole;
}

OPC_RUN(divide, float, float, floored(a, b))

static opc_status invoke(opc_node *node) {
    return opc_pair(node, divide);
}

const opc_op opc_floor_div_float32 = {.code = OPC_CODE_FLOOR_DIV,
                                      .key = OPC_KEY_INPUT0,
                                      .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                                      .types = OPC_BIT(OPC_FLOAT32),
                                      .prepare = opc_pair_prepare,
                                      .invoke = invoke};
