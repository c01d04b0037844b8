#include "kernel_deconv.h"
#include "kernel_dot.h"

/* QuantizedBiasType of TransposeConvOptions */
enum { BIAS_TYPE = 4 };

/* The bias's dtype selects the arithmetic, as in CONV_2D: int32 adds up modulo 2^32 and rescales as int8 does, int64
 * (and no bias) uses the 64-bit rescaling. The option speaks where there is no bias. */
static uint8_t bias_type(const opc_node *node) {
    opc_tensor bias;
    const uint8_t type = opc_input(node, 3, &bias) ? bias.dtype : opc_option_u8(node, BIAS_TYPE, OPC_FLOAT32);
    return type == OPC_INT32 ? OPC_INT32 : OPC_INT64;
}

static opc_status start(opc_node *node, opc_deconv *d, int32_t *lo, int32_t *hi) {
    OPC_TRY(opc_deconv_start(node, d, bias_type(node)));
    if (d->conv.w.dtype != OPC_INT8) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "weights must be int8");
    }
    OPC_TRY(opc_conv_check_quantized(node, &d->conv, 0));
    return opc_activation_range(node, &d->conv.y, d->conv.activation, lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_deconv d;
    int32_t lo;
    int32_t hi;
    return start(node, &d, &lo, &hi);
}

static int64_t sum_of_taps(opc_deconv *d) {
    int64_t sum = 0;
    while (opc_deconv_tap(d)) {
        sum += opc_dot_s16(opc_i16(&d->conv.x) + d->x_at, opc_i8(&d->conv.w) + d->w_at, d->conv.in_channels);
    }
    return sum;
}

static opc_status invoke(opc_node *node) {
    opc_deconv d;
    int32_t lo;
    int32_t hi;
    OPC_TRY(start(node, &d, &lo, &hi));
    const bool narrow = bias_type(node) == OPC_INT32;
    for (uint32_t o = 0; o < d.channels; o++) {
        const opc_multiplier m = opc_conv_multiplier(&d.conv, o);
        const int64_t bias = d.conv.b.data == NULL ? 0 : opc_load_index(&d.conv.b, o);
        opc_deconv_channel(&d, o);
        for (uint32_t i = 0; i < d.places; i++, opc_deconv_next(&d)) {
            const int64_t sum = opc_add64(sum_of_taps(&d), bias);
            const int32_t value = narrow ? opc_mbqm((int32_t)(uint32_t)sum, m) : opc_mbqm64(sum, m);
            ((int16_t *)d.conv.y.data)[d.y_at] = (int16_t)opc_clamp(value, lo, hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_transpose_conv_int16 = {.code = OPC_CODE_TRANSPOSE_CONV,
                                         .key = OPC_KEY_INPUT2,
                                         .types = OPC_BIT(OPC_INT16),
                                         .prepare = prepare,
                                         .invoke = invoke};
