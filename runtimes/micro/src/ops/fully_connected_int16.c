/* int16 activations with int8 weights ("int16x8"). A bias of int64 takes a 64-bit accumulator and a 16-bit multiplier,
 * a bias of int32 the arithmetic of the 8-bit kernels. Without a bias the option quantized_bias_type decides. */
#include "dense.h"

enum { QUANTIZED_BIAS_TYPE = 4 };

static opc_status prepare(opc_node *node) {
    return opc_dense_prepare(node, OPC_INT16, OPC_INT8);
}

/* Terms are at most 2^23 and n < 2^30: no overflow. */
static int64_t dot(const int16_t *x, const int8_t *w, uint32_t n, int32_t zero_w) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i] * (w[i] - zero_w);
    }
    return sum;
}

static bool is_narrow(const opc_node *node, const opc_dense *d) {
    const uint8_t type = d->has_bias ? d->bias.dtype : opc_option_u8(node, QUANTIZED_BIAS_TYPE, OPC_INT64);
    return type == OPC_INT32;
}

static int32_t rescale_narrow(const opc_dense *d, int64_t sum, uint32_t unit, opc_multiplier m) {
    const uint32_t bias = d->has_bias ? (uint32_t)opc_i32(&d->bias)[unit] : 0U;
    return opc_mbqm((int32_t)((uint32_t)sum + bias), m);
}

static int32_t rescale(const opc_dense *d, int64_t sum, uint32_t unit, opc_multiplier m) {
    const uint64_t bias = d->has_bias ? (uint64_t)opc_i64(&d->bias)[unit] : 0U;
    return opc_mbqm64((int64_t)((uint64_t)sum + bias), m);
}

static opc_status invoke(opc_node *node) {
    opc_dense d;
    opc_dense_views(node, &d);
    const opc_rows8 *data = &((const opc_dense_data *)opc_data(node))->rows;
    const int16_t *x = opc_i16(&d.x);
    const int8_t *weights = opc_i8(&d.weights);
    int16_t *y = d.y.data;
    const bool narrow = is_narrow(node, &d);
    for (uint32_t u = 0; u < d.units; u++) {
        const opc_multiplier m = data->factors[data->per_unit * u];
        for (uint32_t b = 0; b < d.batches; b++) {
            const int64_t sum = dot(x + b * d.depth, weights + u * d.depth, d.depth, data->zero_w);
            const int32_t scaled = narrow ? rescale_narrow(&d, sum, u, m) : rescale(&d, sum, u, m);
            y[b * d.units + u] = (int16_t)opc_clamp(scaled, data->lo, data->hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_fully_connected_int16 = {.code = OPC_CODE_FULLY_CONNECTED,
                                          .key = OPC_KEY_INPUT0,
                                          .types = OPC_BIT(OPC_INT16),
                                          .prepare = prepare,
                                          .invoke = invoke};
