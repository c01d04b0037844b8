#include "fixedpoint.h"
#include "kernel_util.h"

/* Without quantization the raw magnitude; with it |x| rescaled by s_x / s_y. Zero points must be 0. */
static opc_status set_up(opc_node *node, opc_tensor *x, opc_tensor *y, opc_multiplier *m) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    m->mantissa = 0;
    if (x->scale_count == 0 && y->scale_count == 0) {
        return OPC_OK;
    }
    OPC_TRY(opc_need_quantized(node, x, y));
    if (opc_zero_point(x, 0) != 0 || opc_zero_point(y, 0) != 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
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
    const bool raw = x.scale_count == 0;
    for (uint32_t i = 0; i < x.elements; i++) {
        const int32_t value = opc_i16(&x)[i];
        const int32_t magnitude = value < 0 ? -value : value;
        /* the raw magnitude of -32768 wraps */
        ((int16_t *)y.data)[i] = (int16_t)(raw ? magnitude : opc_clamp(opc_mbqm(magnitude, m), INT16_MIN, INT16_MAX));
    }
    return OPC_OK;
}

const opc_op opc_abs_int16 = {.code = OPC_CODE_ABS,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0,
                              .types = OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = invoke};
