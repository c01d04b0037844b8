#include "kernel_map.h"
#include "kernel_runs.h"

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch_unary(node, &x, &y));
    opc_copy(y.data, x.data, x.elements, sizeof(float));
    opc_clamp_stored(&y, OPC_ACT_RELU);
    return OPC_OK;
}

const opc_op opc_relu_float32 = {.code = OPC_CODE_RELU,
                                 .key = OPC_KEY_INPUT0,
                                 .flags = OPC_INPLACE_INPUT0,
                                 .types = OPC_BIT(OPC_FLOAT32),
                                 .prepare = opc_map_prepare,
                                 .invoke = invoke};
