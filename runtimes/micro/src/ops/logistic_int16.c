#include "kernel_curve.h"
#include "kernel_squash.h"

static opc_status prepare(opc_node *node) {
    opc_squash16 s;
    return opc_squash16_fetch(node, &s, 0);
}

static opc_status invoke(opc_node *node) {
    opc_squash16 s;
    OPC_TRY(opc_squash16_fetch(node, &s, 0));
    for (uint32_t i = 0; i < s.x.elements; i++) {
        ((int16_t *)s.y.data)[i] = opc_curve_logistic(opc_squash16_input(&s, i));
    }
    return OPC_OK;
}

const opc_op opc_logistic_int16 = {.code = OPC_CODE_LOGISTIC,
                                   .key = OPC_KEY_INPUT0,
                                   .flags = OPC_INPLACE_INPUT0,
                                   .types = OPC_BIT(OPC_INT16),
                                   .prepare = prepare,
                                   .invoke = invoke};
