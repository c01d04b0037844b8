#include "kernel_squash.h"

static const opc_squash8 squash = {
    .function = opc_fx_logistic, .output_bits = 8, .output_zero = -128, .output_scale = 1.0f / 256.0f};

static opc_status prepare(opc_node *node) {
    return opc_squash8_prepare(node, &squash);
}
static opc_status invoke(opc_node *node) {
    return opc_squash8_invoke(node, &squash);
}

const opc_op opc_logistic_int8 = {.code = OPC_CODE_LOGISTIC,
                                  .key = OPC_KEY_INPUT0,
                                  .flags = OPC_INPLACE_INPUT0,
                                  .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8),
                                  .prepare = prepare,
                                  .invoke = invoke};
