#include "dense.h"
#include "kernel_deconv.h"

static opc_status start(opc_node *node, opc_deconv *d, int32_t *lo, int32_t *hi) {
    OPC_TRY(opc_deconv_start(node, d, OPC_INT32));
    OPC_TRY(opc_same_dtype(node, &d->conv.x, &d->conv.w));
    OPC_TRY(opc_conv_check_quantized(node, &d->conv, 0));
    return opc_activation_range(node, &d->conv.y, d->conv.activation, lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_deconv d;
    int32_t lo;
    int32_t hi;
    return start(node, &d, &lo, &hi);
}

/* Modulo 2^32. */
static int32_t sum_of_taps(opc_deconv *d, int32_t zero) {
    uint32_t sum = 0;
    while (opc_deconv_tap(d)) {
        sum += opc_dense_dot8(opc_i8(&d->conv.x) + d->x_at, opc_i8(&d->conv.w) + d->w_at, d->conv.in_channels, zero);
    }
    return (int32_t)sum;
}

/* Channels outermost: their factors are computed once and need no memory. */
static opc_status invoke(opc_node *node) {
    opc_deconv d;
    int32_t lo;
    int32_t hi;
    OPC_TRY(start(node, &d, &lo, &hi));
    const int32_t zero_x = opc_zero_point(&d.conv.x, 0);
    const int32_t zero_y = opc_zero_point(&d.conv.y, 0);
    for (uint32_t o = 0; o < d.channels; o++) {
        const opc_multiplier m = opc_conv_multiplier(&d.conv, o);
        const int32_t bias = d.conv.b.data == NULL ? 0 : opc_i32(&d.conv.b)[o];
        opc_deconv_channel(&d, o);
        for (uint32_t i = 0; i < d.places; i++, opc_deconv_next(&d)) {
            const int32_t value = opc_mbqm(opc_add32(sum_of_taps(&d, zero_x), bias), m);
            ((int8_t *)d.conv.y.data)[d.y_at] = (int8_t)opc_clamp_sum(value, zero_y, lo, hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_transpose_conv_int8 = {.code = OPC_CODE_TRANSPOSE_CONV,
                                        .key = OPC_KEY_INPUT2,
                                        .types = OPC_BIT(OPC_INT8),
                                        .prepare = prepare,
                                        .invoke = invoke};
