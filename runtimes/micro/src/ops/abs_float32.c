#include <math.h>

#include "kernel_util.h"

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
        ((float *)y.data)[i] = fabsf(opc_f32(&x)[i]);
    }
    return OPC_OK;
}

const opc_op opc_abs_float32 = {.code = OPC_CODE_ABS,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0,
                                .types = OPC_BIT(OPC_FLOAT32),
                                .prepare = prepare,
                                .invoke = invoke};
