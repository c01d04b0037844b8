#include "kernel_window.h"

static int32_t accumulate(const opc_conv *c, const uint8_t *x0, const uint8_t *w0, opc_taps ty, opc_taps tx) {
    const opc_window *w = &c->window;
    const int32_t zero_x = opc_zero_point(&c->x, 0);
    const int32_t zero_w = opc_zero_point(&c->w, 0);
    int32_t acc = 0; /* |(x - zero) * (w - zero)| < 2^16; modulo 2^32 */
    for (int32_t fy = ty.first; fy < ty.end; fy++) {
        const int32_t row = (ty.start + fy * w->y.dilation) * w->x.input;
        for (int32_t fx = tx.first; fx < tx.end; fx++) {
            const uint8_t *x = x0 + (uint32_t)(row + tx.start + fx * w->x.dilation) * c->in_channels;
            const uint8_t *f = w0 + (uint32_t)(fy * w->x.size + fx) * c->group_in;
            for (uint32_t i = 0; i < c->group_in; i++) {
                acc = opc_add32(acc, (x[i] - zero_x) * (f[i] - zero_w));
            }
        }
    }
    return acc;
}

static opc_status set_up(opc_node *node, opc_conv *c, int32_t *lo, int32_t *hi) {
    OPC_TRY(opc_conv_fetch(node, c, OPC_UINT8, OPC_INT32));
    OPC_TRY(opc_need_quantized(node, &c->x, &c->y));
    OPC_TRY(opc_need_quantized(node, &c->w, &c->w));
    return opc_activation_range(node, &c->y, c->activation, lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    return set_up(node, &c, &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    OPC_TRY(set_up(node, &c, &lo, &hi));
    /* The legacy 8-bit scheme rounds the product of the scales to float32. */
    const opc_multiplier m = opc_multiplier_of_rounded(opc_scale(&c.x, 0), opc_scale(&c.w, 0), opc_scale(&c.y, 0));
    const int32_t zero = opc_zero_point(&c.y, 0);
    const uint32_t taps = (uint32_t)(c.window.y.size * c.window.x.size) * c.group_in;
    const uint32_t image = (uint32_t)(c.window.y.input * c.window.x.input) * c.in_channels;
    for (uint32_t o = 0; o < c.out_channels; o++) {
        const int32_t bias = c.b.data == NULL ? 0 : opc_i32(&c.b)[o];
        const uint8_t *x = opc_u8(&c.x) + o / c.group_out * c.group_in;
        const uint8_t *w = opc_u8(&c.w) + o * taps;
        uint8_t *y = (uint8_t *)c.y.data + o;
        for (uint32_t b = 0; b < c.batches; b++, x += image) {
            for (int32_t oy = 0; oy < c.window.y.output; oy++) {
                const opc_taps ty = opc_window_taps(&c.window.y, oy);
                for (int32_t ox = 0; ox < c.window.x.output; ox++, y += c.out_channels) {
                    const int32_t acc = accumulate(&c, x, w, ty, opc_window_taps(&c.window.x, ox));
                    *y = (uint8_t)opc_clamp(opc_add32(opc_mbqm(opc_add32(acc, bias), m), zero), lo, hi);
                }
            }
        }
    }
    return OPC_OK;
}

const opc_op opc_conv_2d_uint8 = {
    .code = OPC_CODE_CONV_2D, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_UINT8), .prepare = prepare, .invoke = invoke};
