/* float32, with weights of float32 or of int8 that are dequantized on the way. */
#include "dense.h"

static opc_status prepare(opc_node *node) {
    opc_dense d;
    opc_tensor weights;
    const bool narrow = opc_input(node, 1, &weights) && weights.dtype == OPC_INT8;
    const opc_status status = opc_dense_check(node, &d, OPC_FLOAT32, narrow ? OPC_INT8 : OPC_FLOAT32);
    if (status == OPC_OK && narrow && !opc_dense_weights_quantized(&d)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "scales or zero points of the weights missing or out of range");
    }
    return status;
}

static float dot(const float *x, const float *w, uint32_t n) {
    float sum = 0.0f;
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i] * w[i];
    }
    return sum;
}

static float dot_narrow(const float *x, const int8_t *w, uint32_t n, int32_t zero) {
    float sum = 0.0f;
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i] * (float)(w[i] - zero);
    }
    return sum;
}

/* Sum of products of one row of the input with the weights of one unit. */
static float product(const opc_dense *d, uint32_t batch, uint32_t unit) {
    const float *x = opc_f32(&d->x) + batch * d->depth;
    if (d->weights.dtype == OPC_FLOAT32) {
        return dot(x, opc_f32(&d->weights) + unit * d->depth, d->depth);
    }
    const float sum = dot_narrow(x, opc_i8(&d->weights) + unit * d->depth, d->depth, opc_zero_point(&d->weights, unit));
    return sum * opc_scale(&d->weights, unit);
}

static opc_status invoke(opc_node *node) {
    opc_dense d;
    float lo;
    float hi;
    (void)opc_dense_views(node, &d);
    (void)opc_float_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), &lo, &hi);
    float *y = d.y.data;
    for (uint32_t b = 0; b < d.batches; b++) {
        for (uint32_t u = 0; u < d.units; u++) {
            const float bias = d.has_bias ? opc_f32(&d.bias)[u] : 0.0f;
            y[b * d.units + u] = opc_clamp_float(product(&d, b, u) + bias, lo, hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_fully_connected_float32 = {.code = OPC_CODE_FULLY_CONNECTED,
                                            .key = OPC_KEY_INPUT0,
                                            .types = OPC_BIT(OPC_FLOAT32),
                                            .prepare = prepare,
                                            .invoke = invoke};
