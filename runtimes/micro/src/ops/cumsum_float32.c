#include "kernel_scan.h"

static opc_status invoke(opc_node *node) {
    opc_scan s;
    OPC_TRY(opc_scan_start(node, &s));
    float sum = 0;
    for (uint32_t i = 0; i < s.y.elements; i++) {
        const float before = sum;
        sum = before + opc_f32(&s.in[0])[s.at];
        ((float *)s.y.data)[s.at] = s.exclusive ? before : sum;
        sum = opc_scan_next(&s) ? 0 : sum;
    }
    return OPC_OK;
}

const opc_op opc_cumsum_float32 = {.code = OPC_CODE_CUMSUM,
                                   .key = OPC_KEY_INPUT0,
                                   .flags = OPC_INPLACE_INPUT0,
                                   .types = OPC_BIT(OPC_FLOAT32),
                                   .prepare = opc_scan_prepare,
                                   .invoke = invoke};
