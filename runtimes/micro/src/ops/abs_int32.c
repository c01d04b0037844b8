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
        const int32_t value = opc_i32(&x)[i];
        /* the magnitude of the lowest value wraps to itself */
        ((int32_t *)y.data)[i] = value < 0 ? opc_sub32(0, value) : value;
    }
    return OPC_OK;
}

const opc_op opc_abs_int32 = {.code = OPC_CODE_ABS,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0,
                              .types = OPC_BIT(OPC_INT32),
                              .prepare = prepare,
                              .invoke = invoke};
