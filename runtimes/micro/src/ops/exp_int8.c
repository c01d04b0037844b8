#include <math.h>

#include "fixedpoint.h"
#include "kernel_util.h"

static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    return opc_need_quantized(node, x, y);
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    return fetch(node, &x, &y);
}

/* The exponential of each element in float32: no table of 256 bytes for a layer that is usually shorter. */
static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    const float per_unit = 1.0f / opc_scale(&y, 0);
    const float scale = opc_scale(&x, 0);
    const int32_t zero_x = opc_zero_point(&x, 0);
    const int32_t zero_y = opc_zero_point(&y, 0);
    for (uint32_t i = 0; i < x.elements; i++) {
        const float real = scale * (float)(opc_i8(&x)[i] - zero_x);
        ((int8_t *)y.data)[i] = (int8_t)opc_clamp(opc_round(expf(real) * per_unit) + zero_y, INT8_MIN, INT8_MAX);
    }
    return OPC_OK;
}

const opc_op opc_exp_int8 = {.code = OPC_CODE_EXP,
                             .key = OPC_KEY_INPUT0,
                             .flags = OPC_INPLACE_INPUT0,
                             .types = OPC_BIT(OPC_INT8),
                             .prepare = prepare,
                             .invoke = invoke};
