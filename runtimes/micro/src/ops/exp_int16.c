#include <math.h>

#include "kernel_table.h"

static float natural_exp(float x) {
    return expf(x);
}

static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    OPC_TRY(opc_need_quantized(node, x, y));
    return opc_zero_point(x, 0) == 0 && opc_zero_point(y, 0) == 0
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    int16_t *table = opc_alloc(node, OPC_TABLE_ENTRIES * sizeof(int16_t));
    if (table == NULL) {
        return OPC_NO_MEMORY;
    }
    const opc_table_of t = opc_table_plan(natural_exp, opc_scale(&x, 0), 0, opc_scale(&y, 0), 0);
    for (uint32_t i = 0; i < OPC_TABLE_ENTRIES; i++) {
        table[i] = opc_table_entry(&t, i);
    }
    return OPC_OK;
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    const int16_t *table = opc_data(node);
    for (uint32_t i = 0; i < x.elements; i++) {
        const int16_t value = opc_i16(&x)[i];
        const uint32_t at = opc_table_index(value);
        ((int16_t *)y.data)[i] = opc_table_between(table[at], table[at + 1U], value);
    }
    return OPC_OK;
}

const opc_op opc_exp_int16 = {.code = OPC_CODE_EXP,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0,
                              .types = OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = invoke};
