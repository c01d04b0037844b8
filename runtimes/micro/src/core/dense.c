#include "dense.h"

#include "kernel_util.h"

/* FullyConnectedOptions */
enum { ACTIVATION = 0, WEIGHTS_FORMAT = 1, KEEP_NUM_DIMS = 2 };

bool opc_dense_views(const opc_node *node, opc_dense *d) {
    const bool found = opc_input(node, 0, &d->x) && opc_input(node, 1, &d->weights) && opc_output(node, 0, &d->y);
    d->has_bias = opc_input(node, 2, &d->bias);
    if (!found || d->weights.rank != 2 || d->y.rank == 0) {
        return false;
    }
    d->units = (uint32_t)d->weights.dims[0];
    d->depth = (uint32_t)d->weights.dims[1];
    d->batches = opc_product(d->y.dims, 0, d->y.rank - 1U);
    return true;
}

static bool shapes_fit(const opc_node *node, const opc_dense *d) {
    const opc_tensor *x = &d->x;
    const uint32_t rows = d->y.rank - 1U;
    if (d->depth == 0 || (uint64_t)d->batches * d->depth != x->elements || (uint32_t)d->y.dims[rows] != d->units) {
        return false;
    }
    bool same = true;
    if (opc_option_u8(node, KEEP_NUM_DIMS, 0) != 0) {
        same = x->rank == d->y.rank && (uint32_t)x->dims[rows] == d->depth;
        for (uint32_t i = 0; same && i < rows; i++) {
            same = x->dims[i] == d->y.dims[i];
        }
    }
    return same;
}

static bool bias_fits(const opc_dense *d) {
    const uint8_t type = d->bias.dtype;
    if (!d->has_bias) {
        return true;
    }
    const bool typed = d->x.dtype == OPC_FLOAT32 ? type == OPC_FLOAT32
                                                 : type == OPC_INT32 || (d->x.dtype == OPC_INT16 && type == OPC_INT64);
    return typed && d->bias.elements == d->units;
}

opc_status opc_dense_check(opc_node *node, opc_dense *d, uint8_t dtype, uint8_t weight_dtype) {
    if (!opc_dense_views(node, d) || opc_input_count(node) > 3 || opc_output_count(node) != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL,
                        "needs an input, weights [units, depth], perhaps a bias, and one output");
    }
    if (d->weights.dtype != weight_dtype || d->y.dtype != dtype) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "mix of types");
    }
    if (!shapes_fit(node, d)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "shapes of input, weights and output do not fit");
    }
    if (!bias_fits(d)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "bias of a wrong type or size");
    }
    if (opc_option_u8(node, WEIGHTS_FORMAT, 0) != 0) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "shuffled weights");
    }
    const bool clamp = opc_option_u8(node, ACTIVATION, OPC_ACT_NONE) <= OPC_ACT_RELU6;
    return clamp ? OPC_OK : OPC_FAIL(node, OPC_UNSUPPORTED, "fused activation");
}

/* A factor as a fixed-point number with 26 fractional bits, saturated at 16. */
static int32_t fixed26(opc_multiplier m) {
    return m.shift > 4 ? 1 << 30 : m.shift < -26 ? 0 : m.mantissa >> (uint32_t)(5 - m.shift);
}

/* The accumulator has the scale input * weights; a bias with another one would be added as a wrong number.
 * Tolerated, as in TensorFlow Lite: a difference of 0.02 output quanta. */
static bool bias_scale_fits(const opc_dense *d, opc_multiplier product) {
    if (!d->has_bias || d->bias.scale_count != 1 || d->weights.scale_count != 1) {
        return true;
    }
    const opc_multiplier bias = opc_multiplier_of(opc_scale(&d->bias, 0), 1.0f, opc_scale(&d->y, 0), 0);
    const int32_t difference = fixed26(bias) - fixed26(product);
    const int32_t allowed = 1342177; /* 0.02 * 2^26 */
    return difference <= allowed && difference >= -allowed;
}

bool opc_dense_weights_quantized(const opc_dense *d) {
    const opc_tensor *w = &d->weights;
    if (w->scale_count == 1) {
        return opc_is_quantized(w);
    }
    bool good = w->scale_count == d->units && w->scale_count != 0 && w->axis == 0;
    for (uint32_t c = 0; good && c < d->units; c++) {
        good = opc_has_scale(w, c) && opc_zero_point(w, c) == 0;
    }
    return good;
}

static void fill_factors(const opc_dense *d, opc_rows8 *m) {
    const float scale_x = opc_scale(&d->x, 0);
    const float scale_y = opc_scale(&d->y, 0);
    if (m->per_unit == 0) {
        m->factors[0] = opc_multiplier_of_rounded(scale_x, opc_scale(&d->weights, 0), scale_y);
        return;
    }
    for (uint32_t u = 0; u < d->units; u++) {
        m->factors[u] = opc_multiplier_of(scale_x, opc_scale(&d->weights, u), scale_y, 0);
    }
}

static opc_status quantize(opc_node *node, const opc_dense *d) {
    const uint32_t count = d->weights.scale_count;
    const int32_t flip = opc_flip(&d->x);
    opc_dense_data *data = opc_alloc(node, (uint32_t)sizeof *data + count * (uint32_t)sizeof data->rows.factors[0]);
    if (data == NULL) {
        return OPC_NO_MEMORY;
    }
    opc_rows8 *m = &data->rows;
    int32_t lo;
    int32_t hi;
    OPC_TRY(opc_activation_range(node, &d->y, opc_option_u8(node, ACTIVATION, OPC_ACT_NONE), &lo, &hi));
    data->batches = d->batches;
    m->units = d->units;
    m->depth = d->depth;
    m->zero_x = (int16_t)(opc_zero_point(&d->x, 0) - flip);
    m->zero_w = (int16_t)(opc_zero_point(&d->weights, 0) - flip);
    m->zero_y = (int16_t)opc_zero_point(&d->y, 0);
    m->lo = (int16_t)lo;
    m->hi = (int16_t)hi;
    m->per_unit = count > 1;
    fill_factors(d, m);
    for (uint32_t i = 0; i < count; i++) {
        if (m->factors[i].shift > 7) {
            return OPC_FAIL(node, OPC_UNSUPPORTED, "output scale too small beside the input scales");
        }
    }
    if (!bias_scale_fits(d, m->factors[0])) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "bias scale is not input scale times weight scale");
    }
    return OPC_OK;
}

opc_status opc_dense_prepare(opc_node *node, uint8_t dtype, uint8_t weight_dtype) {
    opc_dense d;
    OPC_TRY(opc_dense_check(node, &d, dtype, weight_dtype));
    if (!opc_is_quantized(&d.x) || !opc_is_quantized(&d.y) || !opc_dense_weights_quantized(&d)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "scales or zero points missing or out of range");
    }
    if (dtype == OPC_INT16 && (opc_zero_point(&d.x, 0) | opc_zero_point(&d.y, 0)) != 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    return quantize(node, &d);
}
