#include <math.h>

#include "kernel_map.h"
#include "kernel_real.h"

/* Up to 0 the output's least value. */
static float log_of(float x) {
    return x > 0.0f ? opc_log(x) : -HUGE_VALF;
}

static opc_status invoke(opc_node *node) {
    return opc_map_real(node, log_of);
}

const opc_op opc_log_int8 = {.code = OPC_CODE_LOG,
                             .key = OPC_KEY_INPUT0,
                             .flags = OPC_INPLACE_INPUT0,
                             .types = OPC_BIT(OPC_INT8),
                             .prepare = opc_map_quantized_prepare,
                             .invoke = invoke};
