#include "kernel_reduce.h"

/* All of nothing are true. */
static opc_status invoke(opc_node *node) {
    opc_reduction r;
    OPC_TRY(opc_reduction_start(node, &r));
    for (uint32_t i = 0; i < r.y.elements; i++, opc_odometer_next(&r.out)) {
        bool all = true;
        for (uint32_t k = 0; k < r.rows; k++, opc_odometer_next(&r.over)) {
            const uint8_t *x = opc_u8(&r.in[0]) + r.out.offset + r.over.offset;
            for (uint32_t n = r.run; n != 0; n--, x += r.step) {
                all = all && *x != 0;
            }
        }
        ((uint8_t *)r.y.data)[i] = all ? 1 : 0;
    }
    return OPC_OK;
}

const opc_op opc_reduce_all = {.code = OPC_CODE_REDUCE_ALL,
                               .key = OPC_KEY_INPUT0,
                               .types = OPC_BIT(OPC_BOOL),
                               .prepare = opc_reduction_prepare,
                               .invoke = invoke};
