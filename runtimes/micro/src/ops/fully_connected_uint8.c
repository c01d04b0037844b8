#include "dense.h"

static opc_status prepare(opc_node *node) {
    opc_dense d;
    const opc_status status = opc_dense_check(node, &d, OPC_UINT8, OPC_UINT8);
    return status != OPC_OK ? status : opc_dense_quantize(node, &d);
}

/* Terms are below 2^16; a sum that leaves int32 wraps, hence unsigned. */
static int32_t dot(const uint8_t *x, const uint8_t *w, uint32_t n, int32_t zero_x, int32_t zero_w) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += (uint32_t)((x[i] - zero_x) * (w[i] - zero_w));
    }
    return (int32_t)sum;
}

static opc_status invoke(opc_node *node) {
    opc_dense d;
    opc_dense_views(node, &d);
    const opc_dense_data *data = opc_data(node);
    const uint8_t *x = opc_u8(&d.x);
    const uint8_t *weights = opc_u8(&d.weights);
    uint8_t *y = d.y.data;
    const int32_t zero_x = opc_zero_point(&d.x, 0);
    const int32_t zero_w = opc_zero_point(&d.weights, 0);
    const int32_t zero_y = opc_zero_point(&d.y, 0);
    for (uint32_t u = 0; u < d.units; u++) {
        const opc_multiplier m = opc_dense_multiplier(&d, data, u);
        const uint32_t bias = d.has_bias ? (uint32_t)opc_i32(&d.bias)[u] : 0U;
        for (uint32_t b = 0; b < d.batches; b++) {
            const int32_t sum = dot(x + b * d.depth, weights + u * d.depth, d.depth, zero_x, zero_w);
            const int32_t scaled = opc_mbqm((int32_t)((uint32_t)sum + bias), m);
            y[b * d.units + u] = (uint8_t)opc_clamp_sum(scaled, zero_y, data->lo, data->hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_fully_connected_uint8 = {.code = OPC_CODE_FULLY_CONNECTED,
                                          .key = OPC_KEY_INPUT0,
                                          .types = OPC_BIT(OPC_UINT8),
                                          .prepare = prepare,
                                          .invoke = invoke};
