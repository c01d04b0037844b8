#include "fixedpoint.h"
#include "kernel_util.h"

typedef struct joint {
    opc_tensor y;
    uint32_t axis;
    uint32_t outer; /* how often the inputs take turns */
    uint32_t inner; /* elements of one index along the axis */
} joint;

/* uint8 inputs may be quantized in their own way and are then converted; all other types are copied. */
static bool quantization_fits(const opc_tensor *x, const opc_tensor *y) {
    if (x->dtype == OPC_UINT8) {
        return (x->scale_count == 0) == (y->scale_count == 0);
    }
    return opc_same_quantization(x, y);
}

static bool shape_fits(const opc_tensor *x, const joint *j) {
    if (x->rank != j->y.rank || x->dtype != j->y.dtype) {
        return false;
    }
    for (uint32_t d = 0; d < x->rank; d++) {
        if (d != j->axis && x->dims[d] != j->y.dims[d]) {
            return false;
        }
    }
    return true;
}

static opc_status set_up(opc_node *node, joint *j) {
    if (opc_input_count(node) == 0 || opc_output_count(node) != 1 || !opc_output(node, 0, &j->y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "wrong number of inputs or outputs");
    }
    if (opc_dtype_bytes(j->y.dtype) == 0 || opc_option_u8(node, 1, OPC_ACT_NONE) != OPC_ACT_NONE) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "this dtype or a fused activation is not supported");
    }
    if (!opc_normal_axis(opc_option_i32(node, 0, 0), j->y.rank, &j->axis)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "axis out of range");
    }
    j->outer = opc_product(j->y.dims, 0, j->axis);
    j->inner = opc_product(j->y.dims, j->axis + 1, j->y.rank);
    return OPC_OK;
}

static opc_status prepare(opc_node *node) {
    joint j;
    int64_t total = 0;
    OPC_TRY(set_up(node, &j));
    for (uint32_t i = 0; i < opc_input_count(node); i++) {
        opc_tensor x;
        if (!opc_input(node, i, &x) || !shape_fits(&x, &j)) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "an input's dtype or shape does not fit the output");
        }
        if (!quantization_fits(&x, &j.y)) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "inputs and output must have the same quantization");
        }
        total += x.dims[j.axis];
    }
    return total == j.y.dims[j.axis]
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "sizes along the axis do not add up to the output's");
}

/* q * s_x / s_y - zero_x * s_x / s_y in float32, halves away from zero. */
static void convert(const opc_tensor *x, const opc_tensor *y, uint8_t *to, const uint8_t *from, uint32_t count) {
    const float scale = opc_scale(x, 0) * (1.0f / opc_scale(y, 0));
    const float bias = -(float)opc_zero_point(x, 0) * scale;
    const int32_t zero = opc_zero_point(y, 0);
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (uint8_t)opc_clamp(opc_add32(opc_round((float)from[i] * scale + bias), zero), 0, UINT8_MAX);
    }
}

static opc_status invoke(opc_node *node) {
    joint j;
    OPC_TRY(set_up(node, &j));
    const uint32_t width = opc_dtype_bytes(j.y.dtype);
    const uint32_t step = (uint32_t)j.y.dims[j.axis] * j.inner * width;
    uint8_t *start = j.y.data;
    for (uint32_t i = 0; i < opc_input_count(node); i++) {
        opc_tensor x;
        (void)opc_input(node, i, &x);
        const bool copied = x.dtype != OPC_UINT8 || opc_same_quantization(&x, &j.y);
        const uint32_t run = (uint32_t)x.dims[j.axis] * j.inner;
        const uint8_t *from = x.data;
        uint8_t *to = start;
        for (uint32_t o = 0; run != 0 && o < j.outer; o++, to += step, from += run * width) {
            if (copied) {
                opc_copy(to, from, run, width);
            } else {
                convert(&x, &j.y, to, from, run);
            }
        }
        start += run * width;
    }
    return OPC_OK;
}

const opc_op opc_concatenation = {
    .code = OPC_CODE_CONCATENATION, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
