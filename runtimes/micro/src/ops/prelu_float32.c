#include "kernel_runs.h"

OPC_RUN(rectify, float, float, a >= 0.0f ? a : a * b)

static opc_status prepare(opc_node *node) {
    opc_binary t;
    OPC_TRY(opc_binary_check(node, &t, OPC_FLOAT32));
    return opc_same_shape(&t.in[0], &t.out)
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "the slopes must broadcast to the input");
}

static opc_status invoke(opc_node *node) {
    return opc_pair(node, rectify);
}

const opc_op opc_prelu_float32 = {.code = OPC_CODE_PRELU,
                                  .key = OPC_KEY_INPUT0,
                                  .flags = OPC_INPLACE_INPUT0,
                                  .types = OPC_BIT(OPC_FLOAT32),
                                  .prepare = prepare,
                                  .invoke = invoke};
