#include "binary.h"
#include "kernel_util.h"

static opc_status prepare(opc_node *node) {
    opc_binary b;
    return opc_binary_check(node, &b, OPC_BOOL);
}

static opc_status invoke(opc_node *node) {
    opc_binary b;
    opc_walk w;
    OPC_TRY(opc_binary_check(node, &b, OPC_BOOL));
    const int32_t *x0 = b.in[0].data;
    const int32_t *x1 = b.in[1].data;
    opc_walk_start(&w, &b.out, b.in, 2);
    for (uint32_t i = 0; i < b.out.elements; i++, opc_walk_next(&w)) {
        ((uint8_t *)b.out.data)[i] = x0[w.offset[0]] < x1[w.offset[1]] ? 1U : 0U;
    }
    return OPC_OK;
}

const opc_op opc_less_int32 = {
    .code = OPC_CODE_LESS, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_INT32), .prepare = prepare, .invoke = invoke};
