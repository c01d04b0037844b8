#include "dense.h"

static opc_status prepare(opc_node *node) {
    opc_dense d;
    return opc_dense_check(node, &d, OPC_FLOAT32, OPC_FLOAT32);
}

static float dot(const float *x, const float *w, uint32_t n) {
    float sum = 0.0f;
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i] * w[i];
    }
    return sum;
}

static opc_status invoke(opc_node *node) {
    opc_dense d;
    float lo;
    float hi;
    opc_dense_views(node, &d);
    opc_float_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), &lo, &hi);
    const float *x = opc_f32(&d.x);
    const float *weights = opc_f32(&d.weights);
    float *y = d.y.data;
    for (uint32_t b = 0; b < d.batches; b++) {
        for (uint32_t u = 0; u < d.units; u++) {
            const float bias = d.has_bias ? opc_f32(&d.bias)[u] : 0.0f;
            y[b * d.units + u] = opc_clamp_float(dot(x + b * d.depth, weights + u * d.depth, d.depth) + bias, lo, hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_fully_connected_float32 = {.code = OPC_CODE_FULLY_CONNECTED,
                                            .key = OPC_KEY_INPUT0,
                                            .types = OPC_BIT(OPC_FLOAT32),
                                            .prepare = prepare,
                                            .invoke = invoke};
