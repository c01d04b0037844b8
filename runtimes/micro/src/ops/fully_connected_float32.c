/* float32, with weights of float32 or of int8 that are converted on the way. */
#include "dense.h"
#include "kernel_util.h"

/* What the integer arithmetic of cores without floats takes fast: no subnormal, infinite or NaN weight. */
static bool are_plain(const opc_tensor *w) {
    bool plain = w->dtype == OPC_FLOAT32 && (w->flags & OPC_CONSTANT) != 0;
    for (uint32_t i = 0; plain && i < w->elements; i++) {
        const uint32_t bits = ((const uint32_t *)w->data)[i] << 1;
        plain = bits == 0 || bits - 0x01000000U < 0xFE000000U;
    }
    return plain;
}

static opc_status prepare(opc_node *node) {
    opc_dense d;
    opc_tensor weights;
    const bool narrow = opc_input(node, 1, &weights) && weights.dtype == OPC_INT8;
    OPC_TRY(opc_dense_check(node, &d, OPC_FLOAT32, narrow ? OPC_INT8 : OPC_FLOAT32));
    if (narrow && !opc_dense_weights_quantized(&d)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "scales or zero points of the weights missing or out of range");
    }
    opc_dense_float *data = opc_alloc(node, sizeof *data);
    if (data == NULL) {
        return OPC_NO_MEMORY;
    }
    data->batches = d.batches;
    data->units = d.units;
    data->depth = d.depth;
    data->activation = opc_option_u8(node, 0, OPC_ACT_NONE);
    data->narrow = narrow;
    data->plain = are_plain(&d.weights);
    return OPC_OK;
}

static opc_status invoke(opc_node *node) {
    const opc_dense_float *data = opc_data(node);
    const float *w = opc_input_data(node, 1);
    const float *bias = opc_input_data(node, 2);
    const float *x = opc_input_data(node, 0);
    float *y = opc_output_data(node, 0);
    for (uint32_t b = data->batches; b != 0; b--, x += data->depth, y += data->units) {
        if (data->narrow) {
            opc_tensor weights;
            (void)opc_input(node, 1, &weights);
            opc_dense_rows32_int8(data, &weights, bias, x, y);
        } else {
            opc_dense_rows32(data, w, bias, x, y);
        }
        opc_dense_clamp32(y, data->units, data->activation);
    }
    return OPC_OK;
}

const opc_op opc_fully_connected_float32 = {.code = OPC_CODE_FULLY_CONNECTED,
                                            .key = OPC_KEY_INPUT0,
                                            .types = OPC_BIT(OPC_FLOAT32),
                                            .prepare = prepare,
                                            .invoke = invoke};
