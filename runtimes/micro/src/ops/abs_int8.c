#include "fixedpoint.h"
#include "kernel_util.h"

/* |x - zero| rescaled by s_x / s_y, which is skipped when the scales are equal. */
static opc_status set_up(opc_node *node, opc_tensor *x, opc_tensor *y, opc_multiplier *m) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    OPC_TRY(opc_need_quantized(node, x, y));
    /* 1 needs no rescaling: it would only shift left and right again */
    *m = opc_multiplier_of(opc_scale(x, 0), 1.0f, opc_scale(y, 0), 0);
    return OPC_OK;
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    opc_multiplier m;
    return set_up(node, &x, &y, &m);
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    opc_multiplier m;
    OPC_TRY(set_up(node, &x, &y, &m));
    const int32_t zero_x = opc_zero_point(&x, 0);
    const int32_t zero_y = opc_zero_point(&y, 0);
    for (uint32_t i = 0; i < x.elements; i++) {
        const int32_t difference = opc_i8(&x)[i] - zero_x;
        const int32_t magnitude = opc_mbqm(difference < 0 ? -difference : difference, m);
        ((int8_t *)y.data)[i] = (int8_t)opc_clamp(opc_add32(magnitude, zero_y), INT8_MIN, INT8_MAX);
    }
    return OPC_OK;
}

const opc_op opc_abs_int8 = {.code = OPC_CODE_ABS,
                             .key = OPC_KEY_INPUT0,
                             .flags = OPC_INPLACE_INPUT0,
                             .types = OPC_BIT(OPC_INT8),
                             .prepare = prepare,
                             .invoke = invoke};
