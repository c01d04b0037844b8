#include <math.h>

#include "kernel_map.h"

/* float32 throughout, and cut, not rounded: what the integer definition says. */
static opc_status invoke(opc_node *node) {
    opc_map m;
    OPC_TRY(opc_map_fetch(node, &m));
    const float scale_x = opc_scale(&m.x, 0);
    const float scale_y = opc_scale(&m.y, 0);
    const int32_t zero_x = opc_zero_point(&m.x, 0);
    const int32_t zero_y = opc_zero_point(&m.y, 0);
    int32_t lo;
    int32_t hi;
    opc_dtype_range(m.y.dtype, &lo, &hi);
    for (uint32_t i = 0; i < m.x.elements; i++) {
        const int32_t value = opc_load_int(&m.x, i) - zero_x;
        if (value < 0) {
            return OPC_FAIL(node, OPC_INVALID_INPUT, "negative value");
        }
        const float steps = sqrtf(scale_x * (float)value) / scale_y;
        const int32_t whole = steps < 65536.0f ? (int32_t)steps : 65536;
        opc_store_int(&m.y, i, opc_clamp(whole + zero_y, lo, hi));
    }
    return OPC_OK;
}

static opc_status prepare(opc_node *node) {
    opc_map m;
    return opc_map_fetch(node, &m);
}

const opc_op opc_sqrt_int8 = {.code = OPC_CODE_SQRT,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0,
                              .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = invoke};
