#include "kernel_dot.h"
#include "kernel_window.h"

/* Two output channels at one position: what is needed beside the convolution itself. */
typedef struct pair {
    const int8_t *x0; /* input of this batch, at the group's first channel */
    const int8_t *w0;
    const int8_t *w1;
    int32_t offset; /* minus the input's zero point */
} pair;

static void accumulate(const opc_conv *c, const pair *p, opc_taps ty, opc_taps tx, int32_t *acc) {
    const opc_window *w = &c->window;
    const int32_t columns = tx.end - tx.first;
    if (columns <= 0) {
        return;
    }
    /* Neighbouring taps are neighbours in memory when nothing is skipped between them. */
    const bool joined = w->x.dilation == 1 && c->group_in == c->in_channels;
    const uint32_t run = joined ? (uint32_t)columns * c->group_in : c->group_in;
    const int32_t steps = joined ? 1 : columns;
    const uint32_t jump = (uint32_t)w->x.dilation * c->in_channels;
    for (int32_t fy = ty.first; fy < ty.end; fy++) {
        const int32_t row = (ty.start + fy * w->y.dilation) * w->x.input;
        const int8_t *x = p->x0 + (uint32_t)(row + tx.start + tx.first * w->x.dilation) * c->in_channels;
        uint32_t at = (uint32_t)(fy * w->x.size + tx.first) * c->group_in;
        for (int32_t i = 0; i < steps; i++, x += jump, at += c->group_in) {
            opc_dot2_s8(x, p->w0 + at, p->w1 + at, run, p->offset, acc);
        }
    }
}

typedef struct scaling {
    opc_multiplier m[2];
    int32_t bias[2];
    int32_t zero;
    int32_t lo;
    int32_t hi;
} scaling;

/* Output channels `channel` and, where `count` is 2, the next one, everywhere in one batch. */
static void run_pair(const opc_conv *c, const pair *p, const scaling *s, int8_t *y, uint32_t count) {
    for (int32_t oy = 0; oy < c->window.y.output; oy++) {
        const opc_taps ty = opc_window_taps(&c->window.y, oy);
        for (int32_t ox = 0; ox < c->window.x.output; ox++, y += c->out_channels) {
            int32_t acc[2] = {s->bias[0], s->bias[1]};
            accumulate(c, p, ty, opc_window_taps(&c->window.x, ox), acc);
            for (uint32_t k = 0; k < count; k++) {
                y[k] = (int8_t)opc_clamp(opc_add32(opc_mbqm(acc[k], s->m[k]), s->zero), s->lo, s->hi);
            }
        }
    }
}

static opc_status prepare(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    return opc_conv_integer(node, &c, false, OPC_INT8, OPC_INT32, &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_conv c;
    scaling s;
    OPC_TRY(opc_conv_integer(node, &c, false, OPC_INT8, OPC_INT32, &s.lo, &s.hi));
    s.zero = opc_zero_point(&c.y, 0);
    const uint32_t taps = (uint32_t)(c.window.y.size * c.window.x.size) * c.group_in;
    const uint32_t image = (uint32_t)(c.window.y.input * c.window.x.input) * c.in_channels;
    const uint32_t plane = (uint32_t)(c.window.y.output * c.window.x.output) * c.out_channels;
    uint32_t count;
    /* Channels outermost: their factors are computed once and need no memory. */
    for (uint32_t o = 0; o < c.out_channels; o += count) {
        const uint32_t group = o / c.group_out;
        count = (o + 1) / c.group_out == group && o + 1 < c.out_channels ? 2 : 1;
        pair p = {opc_i8(&c.x) + group * c.group_in, opc_i8(&c.w) + o * taps, NULL, -opc_zero_point(&c.x, 0)};
        p.w1 = p.w0 + (count - 1) * taps;
        for (uint32_t k = 0; k < 2; k++) {
            const uint32_t channel = o + (count - 1) * k;
            s.m[k] = opc_conv_multiplier(&c, channel);
            s.bias[k] = c.b.data == NULL ? 0 : opc_i32(&c.b)[channel];
        }
        int8_t *y = (int8_t *)c.y.data + o;
        for (uint32_t b = 0; b < c.batches; b++, p.x0 += image, y += plane) {
            run_pair(&c, &p, &s, y, count);
        }
    }
    return OPC_OK;
}

const opc_op opc_conv_2d_int8 = {
    .code = OPC_CODE_CONV_2D, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_INT8), .prepare = prepare, .invoke = invoke};
