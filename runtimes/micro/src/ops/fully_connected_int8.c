#include "dense.h"

static opc_status prepare(opc_node *node) {
    return opc_dense_prepare(node, OPC_INT8, OPC_INT8);
}

static opc_status invoke(opc_node *node) {
    return opc_dense_invoke8(node, opc_dense_rows8);
}

const opc_op opc_fully_connected_int8 = {.code = OPC_CODE_FULLY_CONNECTED,
                                         .key = OPC_KEY_INPUT0,
                                         .types = OPC_BIT(OPC_INT8),
                                         .prepare = prepare,
                                         .invoke = invoke};
