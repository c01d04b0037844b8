#include "kernel_conv.h"

static opc_status prepare(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    OPC_TRY(opc_conv_integer(node, &c, false, OPC_INT8, OPC_INT32, &lo, &hi));
    opc_conv_plan_s8(node, &c, false);
    return OPC_OK;
}

static opc_status invoke(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    OPC_TRY(opc_conv_again(node, &c, false, &lo, &hi));
    opc_conv_run_s8(node, &c, false, lo, hi);
    return OPC_OK;
}

const opc_op opc_conv_2d_int8 = {
    .code = OPC_CODE_CONV_2D, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_INT8), .prepare = prepare, .invoke = invoke};
