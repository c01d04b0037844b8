#include <math.h>

#include "kernel_map.h"

static float elu_of(float x) {
    return x < 0.0f ? expm1f(x) : x;
}

static opc_status invoke(opc_node *node) {
    return opc_map_real(node, elu_of);
}

const opc_op opc_elu_int8 = {.code = OPC_CODE_ELU,
                             .key = OPC_KEY_INPUT0,
                             .flags = OPC_INPLACE_INPUT0,
                             .types = OPC_BIT(OPC_INT8),
                             .prepare = opc_map_quantized_prepare,
                             .invoke = invoke};
