#include "kernel_dot.h"
#include "kernel_window.h"

static int64_t accumulate(const opc_conv *c, const int16_t *x0, const int8_t *w0, opc_taps ty, opc_taps tx) {
    const opc_window *w = &c->window;
    int64_t acc = 0;
    for (int32_t fy = ty.first; fy < ty.end; fy++) {
        const int32_t row = (ty.start + fy * w->y.dilation) * w->x.input;
        for (int32_t fx = tx.first; fx < tx.end; fx++) {
            const int16_t *x = x0 + (uint32_t)(row + tx.start + fx * w->x.dilation) * c->in_channels;
            acc += opc_dot_s16(x, w0 + (uint32_t)(fy * w->x.size + fx) * c->group_in, c->group_in);
        }
    }
    return acc;
}

/* The bias's dtype selects the arithmetic: int32 adds up modulo 2^32 and rescales as int8 does, int64 (and no bias)
 * uses the 64-bit rescaling. QuantizedBiasType speaks where there is no bias. */
static bool wide(const opc_node *node, const opc_conv *c) {
    return c->b.dims != NULL ? c->b.dtype == OPC_INT64 : opc_option_u8(node, 6, OPC_FLOAT32) != OPC_INT32;
}

static int32_t rescale(const opc_conv *c, int64_t acc, uint32_t channel, bool is_wide, opc_multiplier m) {
    if (is_wide) {
        return opc_mbqm64(opc_add64(acc, c->b.data == NULL ? 0 : opc_i64(&c->b)[channel]), m);
    }
    return opc_mbqm(opc_add32((int32_t)acc, c->b.data == NULL ? 0 : opc_i32(&c->b)[channel]), m);
}

static opc_status set_up(opc_node *node, opc_conv *c, int32_t *lo, int32_t *hi) {
    opc_tensor bias;
    const uint8_t b_dtype = opc_input(node, 2, &bias) && bias.dtype == OPC_INT32 ? OPC_INT32 : OPC_INT64;
    return opc_conv_integer(node, c, false, OPC_INT8, b_dtype, lo, hi);
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
    const bool is_wide = wide(node, &c);
    const uint32_t taps = (uint32_t)(c.window.y.size * c.window.x.size) * c.group_in;
    const uint32_t image = (uint32_t)(c.window.y.input * c.window.x.input) * c.in_channels;
    for (uint32_t o = 0; o < c.out_channels; o++) {
        const opc_multiplier m = opc_conv_multiplier(&c, o);
        const int16_t *x = opc_i16(&c.x) + o / c.group_out * c.group_in;
        const int8_t *w = opc_i8(&c.w) + o * taps;
        int16_t *y = (int16_t *)c.y.data + o;
        for (uint32_t b = 0; b < c.batches; b++, x += image) {
            for (int32_t oy = 0; oy < c.window.y.output; oy++) {
                const opc_taps ty = opc_window_taps(&c.window.y, oy);
                for (int32_t ox = 0; ox < c.window.x.output; ox++, y += c.out_channels) {
                    const int64_t acc = accumulate(&c, x, w, ty, opc_window_taps(&c.window.x, ox));
                    *y = (int16_t)opc_clamp(rescale(&c, acc, o, is_wide, m), lo, hi);
                }
            }
        }
    }
    return OPC_OK;
}

const opc_op opc_conv_2d_int16 = {
    .code = OPC_CODE_CONV_2D, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_INT16), .prepare = prepare, .invoke = invoke};
