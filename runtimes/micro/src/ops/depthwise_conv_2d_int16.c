#include "kernel_window.h"

static int64_t accumulate(const opc_conv *c, const int16_t *x0, const int8_t *w0, opc_taps ty, opc_taps tx) {
    const opc_window *w = &c->window;
    int64_t acc = 0; /* |x * w| <= 2^22 */
    for (int32_t fy = ty.first; fy < ty.end; fy++) {
        const int32_t row = (ty.start + fy * w->y.dilation) * w->x.input;
        for (int32_t fx = tx.first; fx < tx.end; fx++) {
            acc += x0[(uint32_t)(row + tx.start + fx * w->x.dilation) * c->in_channels] *
                   w0[(uint32_t)(fy * w->x.size + fx) * c->out_channels];
        }
    }
    return acc;
}

static opc_status prepare(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    return opc_conv_integer(node, &c, true, OPC_INT8, OPC_INT64, &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    OPC_TRY(opc_conv_integer(node, &c, true, OPC_INT8, OPC_INT64, &lo, &hi));
    const uint32_t image = (uint32_t)(c.window.y.input * c.window.x.input) * c.in_channels;
    for (uint32_t o = 0; o < c.out_channels; o++) {
        const opc_multiplier m = opc_conv_multiplier(&c, o);
        const int64_t bias = c.b.data == NULL ? 0 : opc_i64(&c.b)[o];
        const int16_t *x = opc_i16(&c.x) + o / c.group_out;
        const int8_t *w = opc_i8(&c.w) + o;
        int16_t *y = (int16_t *)c.y.data + o;
        for (uint32_t b = 0; b < c.batches; b++, x += image) {
            for (int32_t oy = 0; oy < c.window.y.output; oy++) {
                const opc_taps ty = opc_window_taps(&c.window.y, oy);
                for (int32_t ox = 0; ox < c.window.x.output; ox++, y += c.out_channels) {
                    const int64_t acc = accumulate(&c, x, w, ty, opc_window_taps(&c.window.x, ox));
                    *y = (int16_t)opc_clamp(opc_mbqm64(opc_add64(acc, bias), m), lo, hi);
                }
            }
        }
    }
    return OPC_OK;
}

const opc_op opc_depthwise_conv_2d_int16 = {.code = OPC_CODE_DEPTHWISE_CONV_2D,
                                            .key = OPC_KEY_INPUT0,
                                            .types = OPC_BIT(OPC_INT16),
                                            .prepare = prepare,
                                            .invoke = invoke};
