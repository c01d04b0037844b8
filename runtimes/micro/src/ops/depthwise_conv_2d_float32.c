#include "kernel_window.h"

static float weight(const opc_conv *c, uint32_t i) {
    return c->w.dtype == OPC_INT8 ? (float)opc_i8(&c->w)[i] : opc_f32(&c->w)[i];
}

/* Sums in the order of the reference kernels. */
static float accumulate(const opc_conv *c, const float *x0, uint32_t w0, opc_taps ty, opc_taps tx) {
    const opc_window *w = &c->window;
    float acc = 0.0f;
    for (int32_t fy = ty.first; fy < ty.end; fy++) {
        const int32_t row = (ty.start + fy * w->y.dilation) * w->x.input;
        for (int32_t fx = tx.first; fx < tx.end; fx++) {
            acc += x0[(uint32_t)(row + tx.start + fx * w->x.dilation) * c->in_channels] *
                   weight(c, w0 + (uint32_t)(fy * w->x.size + fx) * c->out_channels);
        }
    }
    return acc;
}

static opc_status prepare(opc_node *node) {
    opc_conv c;
    float lo;
    float hi;
    return opc_conv_float(node, &c, true, &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_conv c;
    float lo;
    float hi;
    OPC_TRY(opc_conv_float(node, &c, true, &lo, &hi));
    const uint32_t image = (uint32_t)(c.window.y.input * c.window.x.input) * c.in_channels;
    for (uint32_t o = 0; o < c.out_channels; o++) {
        const float bias = c.b.data == NULL ? 0.0f : opc_f32(&c.b)[o];
        const float *x = opc_f32(&c.x) + o / c.group_out;
        const uint32_t w = o;
        const float factor = opc_conv_float_factor(&c, o);
        float *y = (float *)c.y.data + o;
        for (uint32_t b = 0; b < c.batches; b++, x += image) {
            for (int32_t oy = 0; oy < c.window.y.output; oy++) {
                const opc_taps ty = opc_window_taps(&c.window.y, oy);
                for (int32_t ox = 0; ox < c.window.x.output; ox++, y += c.out_channels) {
                    *y = opc_clamp_float(accumulate(&c, x, w, ty, opc_window_taps(&c.window.x, ox)) * factor + bias, lo,
                                         hi);
                }
            }
        }
    }
    return OPC_OK;
}

const opc_op opc_depthwise_conv_2d_float32 = {.code = OPC_CODE_DEPTHWISE_CONV_2D,
                                              .key = OPC_KEY_INPUT0,
                                              .types = OPC_BIT(OPC_FLOAT32),
                                              .prepare = prepare,
                                              .invoke = invoke};
