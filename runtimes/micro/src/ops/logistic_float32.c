#include <math.h>

#include "kernel_util.h"

/* Where 1 + exp(-x) rounds to 1 and to exp(-x): above, the quotient is 1; far below, exp(x) is closer and never overflows. */
static float logistic(float x) {
    if (x > 16.619047f) {
        return 1.0f;
    }
    return x < -9.0f ? expf(x) : 1.0f / (1.0f + expf(-x));
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    return opc_fetch_unary(node, &x, &y);
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch_unary(node, &x, &y));
    for (uint32_t i = 0; i < x.elements; i++) {
        ((float *)y.data)[i] = logistic(opc_f32(&x)[i]);
    }
    return OPC_OK;
}

const opc_op opc_logistic_float32 = {.code = OPC_CODE_LOGISTIC,
                       .key = OPC_KEY_INPUT0,
                       .flags = OPC_INPLACE_INPUT0,
                       .types = OPC_BIT(OPC_FLOAT32),
                       .prepare = prepare,
                       .invoke = invoke};
