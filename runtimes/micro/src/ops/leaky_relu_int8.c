#include "kernel_rectify.h"

static opc_status prepare(opc_node *node) {
    return opc_rectify_prepare(node, opc_option_f32(node, 0, 0.0f));
}

static opc_status invoke(opc_node *node) {
    return opc_rectify(node, OPC_ACT_NONE);
}

const opc_op opc_leaky_relu_int8 = {.code = OPC_CODE_LEAKY_RELU,
                                    .key = OPC_KEY_INPUT0,
                                    .flags = OPC_INPLACE_INPUT0,
                                    .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) | OPC_BIT(OPC_INT16),
                                    .prepare = prepare,
                                    .invoke = invoke};
