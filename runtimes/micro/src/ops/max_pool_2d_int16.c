#include "kernel_pool.h"

static opc_status invoke(opc_node *node) {
    return opc_pool_invoke(node, opc_pool_largest);
}

const opc_op opc_max_pool_2d_int16 = {.code = OPC_CODE_MAX_POOL_2D,
                                      .key = OPC_KEY_INPUT0,
                                      .types = OPC_BIT(OPC_INT16),
                                      .prepare = opc_pool_prepare,
                                      .invoke = invoke};
