#include "kernel_clamp.h"

#include "fixedpoint.h"

opc_status opc_plain_activation_range(opc_node *node, uint8_t activation, int64_t *lo, int64_t *hi) {
    *lo = activation == OPC_ACT_NONE ? INT64_MIN : activation == OPC_ACT_RELU_N1_TO_1 ? -1 : 0;
    *hi = activation == OPC_ACT_RELU_N1_TO_1 ? 1 : activation == OPC_ACT_RELU6 ? 6 : INT64_MAX;
    return activation <= OPC_ACT_RELU6 ? OPC_OK : OPC_FAIL(node, OPC_UNSUPPORTED, "fused activation");
}
