#include "kernel_deconv.h"

static opc_status start(opc_node *node, opc_deconv *d, float *lo, float *hi) {
    OPC_TRY(opc_deconv_start(node, d, OPC_FLOAT32));
    OPC_TRY(opc_same_dtype(node, &d->conv.x, &d->conv.w));
    return opc_float_activation_range(node, d->conv.activation, lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_deconv d;
    float lo;
    float hi;
    return start(node, &d, &lo, &hi);
}

static float sum_of_taps(opc_deconv *d) {
    float sum = 0.0f;
    while (opc_deconv_tap(d)) {
        const float *x = opc_f32(&d->conv.x) + d->x_at;
        const float *w = opc_f32(&d->conv.w) + d->w_at;
        for (uint32_t i = 0; i < d->conv.in_channels; i++) {
            sum += x[i] * w[i];
        }
    }
    return sum;
}

static opc_status invoke(opc_node *node) {
    opc_deconv d;
    float lo;
    float hi;
    OPC_TRY(start(node, &d, &lo, &hi));
    for (uint32_t o = 0; o < d.channels; o++) {
        const float bias = d.conv.b.data == NULL ? 0.0f : opc_f32(&d.conv.b)[o];
        opc_deconv_channel(&d, o);
        for (uint32_t i = 0; i < d.places; i++, opc_deconv_next(&d)) {
            ((float *)d.conv.y.data)[d.y_at] = opc_clamp_float(sum_of_taps(&d) + bias, lo, hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_transpose_conv_float32 = {.code = OPC_CODE_TRANSPOSE_CONV,
                                           .key = OPC_KEY_INPUT2,
                                           .types = OPC_BIT(OPC_FLOAT32),
                                           .prepare = prepare,
                                           .invoke = invoke};
