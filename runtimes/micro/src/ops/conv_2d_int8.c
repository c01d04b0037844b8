#include "kernel_dot.h"
#include "kernel_window.h"

/* Up to two neighbouring output channels of one batch. The sum of (x - zero) * w is taken as x . w - zero * sum of w.
 */
typedef struct pair {
    const int8_t *x0; /* input of this batch, at the group's first channel */
    const int8_t *w0;
    const int8_t *w1; /* the same as w0 when there is only one channel */
    int8_t *y;
    uint32_t channels; /* 1 or 2 */
    opc_multiplier m[2];
    int32_t bias[2];
    int32_t full[2]; /* -zero * sum of all weights */
    int32_t zero_x;
    int32_t zero_y;
    int32_t lo;
    int32_t hi;
} pair;

static bool all_taps(opc_taps t, const opc_window_axis *a) {
    return t.first == 0 && t.end == a->size;
}

/* -zero * sum of the weights that these taps use. */
static int32_t correction(const opc_conv *c, const pair *p, const int8_t *w, opc_taps ty, opc_taps tx) {
    int32_t sum = 0;
    for (int32_t fy = ty.first; fy < ty.end; fy++) {
        const uint32_t at = (uint32_t)(fy * c->window.x.size + tx.first) * c->group_in;
        sum = opc_add32(sum, opc_sum_s8(w + at, (uint32_t)(tx.end - tx.first) * c->group_in));
    }
    return opc_mul32(-p->zero_x, sum);
}

/* acc of both channels at one position and, `next` elements of the input further, at another with the same taps. */
static void accumulate(const opc_conv *c, const pair *p, opc_taps ty, opc_taps tx, uint32_t next, int32_t *acc) {
    const opc_window *w = &c->window;
    const int32_t columns = tx.end - tx.first;
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
            opc_dot22_s8(x, x + next, p->w0 + at, p->w1 + at, run, acc);
        }
    }
}

static void run_position(const opc_conv *c, const pair *p, opc_taps ty, opc_taps tx, int8_t *y, bool two) {
    const bool full = all_taps(ty, &c->window.y) && all_taps(tx, &c->window.x);
    const int32_t first = opc_add32(p->bias[0], full ? p->full[0] : correction(c, p, p->w0, ty, tx));
    const int32_t second = opc_add32(p->bias[1], full ? p->full[1] : correction(c, p, p->w1, ty, tx));
    int32_t acc[4] = {first, second, first, second};
    if (ty.first < ty.end && tx.first < tx.end) {
        accumulate(c, p, ty, tx, two ? (uint32_t)c->window.x.stride * c->in_channels : 0, acc);
    }
    for (uint32_t k = 0; k < (two ? 4U : 2U); k++) {
        if ((k & 1U) < p->channels) {
            const int32_t value = opc_add32(opc_mbqm(acc[k], p->m[k & 1U]), p->zero_y);
            y[(k >> 1) * c->out_channels + (k & 1U)] = (int8_t)opc_clamp(value, p->lo, p->hi);
        }
    }
}

static void run_pair(const opc_conv *c, const pair *p) {
    int8_t *y = p->y;
    for (int32_t oy = 0; oy < c->window.y.output; oy++) {
        const opc_taps ty = opc_window_taps(&c->window.y, oy);
        opc_taps tx = opc_window_taps(&c->window.x, 0);
        for (int32_t ox = 0; ox < c->window.x.output;) {
            const opc_taps next = opc_window_taps(&c->window.x, ox + 1);
            const bool two = ox + 1 < c->window.x.output && next.first == tx.first && next.end == tx.end;
            run_position(c, p, ty, tx, y, two);
            tx = two ? opc_window_taps(&c->window.x, ox + 2) : next;
            ox += two ? 2 : 1;
            y += (two ? 2U : 1U) * c->out_channels;
        }
    }
}

static void choose_channels(const opc_conv *c, pair *p, uint32_t o) {
    const uint32_t taps = (uint32_t)(c->window.y.size * c->window.x.size) * c->group_in;
    const uint32_t group = o / c->group_out;
    p->channels = o + 1 < c->out_channels && (o + 1) / c->group_out == group ? 2 : 1;
    p->x0 = opc_i8(&c->x) + group * c->group_in;
    p->w0 = opc_i8(&c->w) + o * taps;
    p->w1 = p->w0 + (p->channels - 1U) * taps;
    p->y = (int8_t *)c->y.data + o;
    for (uint32_t k = 0; k < 2; k++) {
        const uint32_t channel = k < p->channels ? o + k : o;
        p->m[k] = opc_conv_multiplier(c, channel);
        p->bias[k] = c->b.data == NULL ? 0 : opc_i32(&c->b)[channel];
        p->full[k] = opc_mul32(-p->zero_x, opc_sum_s8(k == 0 ? p->w0 : p->w1, taps));
    }
}

static opc_status prepare(opc_node *node) {
    opc_conv c;
    int32_t lo;
    int32_t hi;
    return opc_conv_integer(node, &c, false, OPC_INT8, OPC_INT32, &lo, &hi);
}

/* Channels outermost: their factors are computed once and need no memory. */
static opc_status invoke(opc_node *node) {
    opc_conv c;
    pair p;
    OPC_TRY(opc_conv_integer(node, &c, false, OPC_INT8, OPC_INT32, &p.lo, &p.hi));
    p.zero_x = opc_zero_point(&c.x, 0);
    p.zero_y = opc_zero_point(&c.y, 0);
    const uint32_t image = (uint32_t)(c.window.y.input * c.window.x.input) * c.in_channels;
    const uint32_t plane = (uint32_t)(c.window.y.output * c.window.x.output) * c.out_channels;
    for (uint32_t o = 0; o < c.out_channels; o += p.channels) {
        choose_channels(&c, &p, o);
        for (uint32_t b = 0; b < c.batches; b++, p.x0 += image, p.y += plane) {
            run_pair(&c, &p);
        }
    }
    return OPC_OK;
}

const opc_op opc_conv_2d_int8 = {
    .code = OPC_CODE_CONV_2D, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_INT8), .prepare = prepare, .invoke = invoke};
