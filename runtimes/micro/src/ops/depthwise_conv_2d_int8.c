#include "kernel_window.h"

enum { LANES = 4 };

/* Where one position of one channel block reads: taps that lie next to each other in x are `step_x` bytes apart, in w
 * `step_w`. */
typedef struct block {
    const int8_t *x0; /* input of this batch, first channel of the block */
    const int8_t *w0;
    uint32_t step_x;
    uint32_t step_w;
    int32_t offset; /* minus the input's zero point */
} block;

/* One row of taps for LANES neighbouring channels with one input each, so that the loop's cost is shared. */
static void row_of_lanes(const int8_t *x, const int8_t *w, int32_t taps, const block *b, int32_t *acc) {
    int32_t a0 = acc[0];
    int32_t a1 = acc[1];
    int32_t a2 = acc[2];
    int32_t a3 = acc[3];
    for (; taps > 0; taps--, x += b->step_x, w += b->step_w) {
        a0 = opc_add32(a0, (x[0] + b->offset) * w[0]);
        a1 = opc_add32(a1, (x[1] + b->offset) * w[1]);
        a2 = opc_add32(a2, (x[2] + b->offset) * w[2]);
        a3 = opc_add32(a3, (x[3] + b->offset) * w[3]);
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

static int32_t row_of_one(const int8_t *x, const int8_t *w, int32_t taps, const block *b) {
    int32_t sum = 0;
    for (; taps > 0; taps--, x += b->step_x, w += b->step_w) {
        sum = opc_add32(sum, (*x + b->offset) * *w);
    }
    return sum;
}

static void accumulate(const opc_conv *c, const block *b, opc_taps ty, opc_taps tx, uint32_t lanes, int32_t *acc) {
    const opc_window *w = &c->window;
    const int32_t columns = tx.end - tx.first;
    if (columns <= 0) {
        return;
    }
    for (int32_t fy = ty.first; fy < ty.end; fy++) {
        const int32_t row = (ty.start + fy * w->y.dilation) * w->x.input;
        const int8_t *x = b->x0 + (uint32_t)(row + tx.start + tx.first * w->x.dilation) * c->in_channels;
        const int8_t *f = b->w0 + (uint32_t)(fy * w->x.size + tx.first) * c->out_channels;
        if (lanes == LANES) {
            row_of_lanes(x, f, columns, b, acc);
        } else {
            acc[0] = opc_add32(acc[0], row_of_one(x, f, columns, b));
        }
    }
}

typedef struct scaling {
    opc_multiplier m[LANES];
    int32_t bias[LANES];
    int32_t zero;
    int32_t lo;
    int32_t hi;
} scaling;

static void run_block(const opc_conv *c, const block *b, const scaling *s, int8_t *y, uint32_t lanes) {
    for (int32_t oy = 0; oy < c->window.y.output; oy++) {
        const opc_taps ty = opc_window_taps(&c->window.y, oy);
        for (int32_t ox = 0; ox < c->window.x.output; ox++, y += c->out_channels) {
            int32_t acc[LANES] = {s->bias[0], s->bias[1], s->bias[2], s->bias[3]};
            accumulate(c, b, ty, opc_window_taps(&c->window.x, ox), lanes, acc);
            for (uint32_t k = 0; k < lanes; k++) {
                y[k] = (int8_t)opc_clamp(opc_add32(opc_mbqm(acc[k], s->m[k]), s->zero), s->lo, s->hi);
            }
        }
    }
}

static opc_status prepare(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    return opc_conv_integer(node, &c, true, OPC_INT8, OPC_INT32, &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_conv c;
    scaling s = {.zero = 0};
    OPC_TRY(opc_conv_integer(node, &c, true, OPC_INT8, OPC_INT32, &s.lo, &s.hi));
    s.zero = opc_zero_point(&c.y, 0);
    const uint32_t image = (uint32_t)(c.window.y.input * c.window.x.input) * c.in_channels;
    const uint32_t plane = (uint32_t)(c.window.y.output * c.window.x.output) * c.out_channels;
    uint32_t lanes;
    /* Channels outermost: their factors are computed once and need no memory. */
    for (uint32_t o = 0; o < c.out_channels; o += lanes) {
        lanes = c.group_out == 1 && c.out_channels - o >= LANES ? LANES : 1;
        for (uint32_t k = 0; k < lanes; k++) {
            s.m[k] = opc_conv_multiplier(&c, o + k);
            s.bias[k] = c.b.data == NULL ? 0 : opc_i32(&c.b)[o + k];
        }
        block b = {opc_i8(&c.x) + o / c.group_out, opc_i8(&c.w) + o, 0, c.out_channels, -opc_zero_point(&c.x, 0)};
        b.step_x = (uint32_t)c.window.x.dilation * c.in_channels;
        int8_t *y = (int8_t *)c.y.data + o;
        for (uint32_t i = 0; i < c.batches; i++, b.x0 += image, y += plane) {
            run_block(&c, &b, &s, y, lanes);
        }
    }
    return OPC_OK;
}

const opc_op opc_depthwise_conv_2d_int8 = {.code = OPC_CODE_DEPTHWISE_CONV_2D,
                                           .key = OPC_KEY_INPUT0,
                                           .types = OPC_BIT(OPC_INT8),
                                           .prepare = prepare,
                                           .invoke = invoke};
