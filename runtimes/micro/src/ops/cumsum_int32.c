#include "kernel_scan.h"

/* Sums wrap; those of int32 are the low half of the ones in 64 bits. */
static opc_status invoke(opc_node *node) {
    opc_scan s;
    OPC_TRY(opc_scan_start(node, &s));
    int64_t sum = 0;
    for (uint32_t i = 0; i < s.y.elements; i++) {
        const int64_t before = sum;
        sum = opc_add64(before, opc_load_index(&s.in[0], s.at));
        const int64_t value = s.exclusive ? before : sum;
        if (s.y.dtype == OPC_INT64) {
            ((int64_t *)s.y.data)[s.at] = value;
        } else {
            ((int32_t *)s.y.data)[s.at] = (int32_t)(uint32_t)value;
        }
        sum = opc_scan_next(&s) ? 0 : sum;
    }
    return OPC_OK;
}

const opc_op opc_cumsum_int32 = {.code = OPC_CODE_CUMSUM,
                                 .key = OPC_KEY_INPUT0,
                                 .flags = OPC_INPLACE_INPUT0,
                                 .types = OPC_BIT(OPC_INT32) | OPC_BIT(OPC_INT64),
                                 .prepare = opc_scan_prepare,
                                 .invoke = invoke};
