/* Quantized int16, or plain int16 where no tensor has a scale: sums wrap, as those of int32 and int64 do. */
#include "kernel_sum.h"

OPC_RUN(add, int16_t, int16_t, a + b)

static opc_status prepare(opc_node *node) {
    return opc_pair_is_plain(node) ? opc_active_pair_prepare(node) : opc_sum_prepare(node, OPC_SUM_SHIFT_16);
}

static opc_status invoke(opc_node *node) {
    return opc_pair_is_plain(node) ? opc_active_pair(node, add) : opc_sum_16(node, 1);
}

const opc_op opc_add_int16 = {.code = OPC_CODE_ADD,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = invoke};
