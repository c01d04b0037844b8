#include "kernel_map.h"

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch_unary(node, &x, &y));
    const float alpha = opc_option_f32(node, 0, 0.0f);
    for (uint32_t i = 0; i < x.elements; i++) {
        const float value = opc_f32(&x)[i];
        ((float *)y.data)[i] = value > 0.0f ? value : value * alpha;
    }
    return OPC_OK;
}

const opc_op opc_leaky_relu_float32 = {.code = OPC_CODE_LEAKY_RELU,
                                       .key = OPC_KEY_INPUT0,
                                       .flags = OPC_INPLACE_INPUT0,
                                       .types = OPC_BIT(OPC_FLOAT32),
                                       .prepare = opc_map_prepare,
                                       .invoke = invoke};
