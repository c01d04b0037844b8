/* Quantized int16, or plain int16 where no tensor has a scale: products wrap, as those of int32 and int64 do. */
#include "kernel_product.h"

OPC_RUN(multiply, int16_t, int16_t, a *b)

static opc_status prepare(opc_node *node) {
    return opc_pair_is_plain(node) ? opc_active_pair_prepare(node) : opc_scaled_product_prepare(node);
}

static opc_status invoke(opc_node *node) {
    return opc_pair_is_plain(node) ? opc_active_pair(node, multiply) : opc_scaled_product(node);
}

const opc_op opc_mul_int16 = {.code = OPC_CODE_MUL,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = invoke};
