#include "kernel_conv.h"
#include "kernel_depthwise.h"

static opc_status prepare(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    OPC_TRY(opc_conv_integer(node, &c, true, OPC_INT8, OPC_INT32, &lo, &hi));
    if (c.group_out == 1) {
        opc_depthwise_plan_s8(node, &c);
    } else {
        opc_conv_plan_s8(node, &c, true);
    }
    return OPC_OK;
}

static opc_status invoke(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    OPC_TRY(opc_conv_again(node, &c, true, &lo, &hi));
    if (c.group_out == 1) {
        opc_depthwise_run_s8(node, &c, lo, hi);
    } else {
        opc_conv_run_s8(node, &c, true, lo, hi);
    }
    return OPC_OK;
}

const opc_op opc_depthwise_conv_2d_int8 = {.code = OPC_CODE_DEPTHWISE_CONV_2D,
                                           .key = OPC_KEY_INPUT0,
                                           .types = OPC_BIT(OPC_INT8),
                                           .prepare = prepare,
                                           .invoke = invoke};
