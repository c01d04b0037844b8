#include "kernel_map.h"

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch_unary(node, &x, &y));
    for (uint32_t i = 0; i < x.elements; i++) {
        ((uint8_t *)y.data)[i] = opc_u8(&x)[i] == 0 ? 1U : 0U;
    }
    return OPC_OK;
}

const opc_op opc_logical_not = {.code = OPC_CODE_LOGICAL_NOT,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0,
                                .types = OPC_BIT(OPC_BOOL),
                                .prepare = opc_map_prepare,
                                .invoke = invoke};
