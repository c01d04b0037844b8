#include "kernel_depthwise.h"

#include <string.h>

#include "kernel_depthwise_unit.h"

#ifdef OPC_UNITS

/* Rows of the input are kept as units, with zeros around, for as long as the window reads them. */
typedef struct strip {
    opc_depthwise d;
    const opc_conv *c;
    opc_ratio ratio;
    opc_unit *zeros; /* one row */
    opc_unit *ring;  /* row r of the input lies in slot r % slots */
    int32_t slots;
    int32_t columns; /* units of a row: all that the window ever reads */
} strip;

static int32_t span(const opc_window_axis *a) {
    return (a->size - 1) * a->dilation + 1; /* < 2^30 */
}

/* Bytes of memory; at most 2^32 - 1. */
static uint32_t plan(strip *s, const opc_conv *c) {
    opc_window *w = &s->d.window;
    s->c = c;
    *w = c->window;
    if (w->x.input == 1 && w->x.size == 1 && w->x.output == 1) { /* a column is a row, and rows are quicker */
        const opc_window_axis x = w->x;
        w->x = w->y;
        w->y = x;
    }
    s->slots = span(&w->y) < w->y.input ? span(&w->y) : w->y.input;
    s->columns = (w->x.output - 1) * w->x.stride + span(&w->x);
    const uint64_t units = (uint64_t)(s->slots + 1) * (uint32_t)s->columns + (uint64_t)w->y.size * (uint32_t)w->x.size;
    const uint64_t bytes = units * sizeof(opc_unit) + (uint64_t)w->y.size * sizeof(opc_unit *);
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

void opc_depthwise_plan_s8(opc_node *node, const opc_conv *c) {
    strip s;
    if (c->y.elements != 0) {
        opc_scratch(node, plan(&s, c));
    }
}

/* Row `r` of the input into its slot; what is left and right of it is 0 from the beginning. */
static void load_row(const strip *s, const int8_t *image, int32_t r) {
    const opc_window_axis *a = &s->d.window.x;
    const int32_t left = a->pad < s->columns ? a->pad : s->columns;
    const int32_t inside = s->columns - left < a->input ? s->columns - left : a->input;
    opc_unit *to = s->ring + (uint32_t)(r % s->slots) * (uint32_t)s->columns + left;
    opc_units_load(to, image + (uint32_t)(r * a->input) * s->c->in_channels, (uint32_t)inside, s->c->in_channels,
                   s->d.lanes, s->d.zero_x);
}

static void point_rows(const strip *s, int32_t start) {
    const opc_window_axis *a = &s->d.window.y;
    for (int32_t fy = 0; fy < a->size; fy++) {
        const int32_t r = start + fy * a->dilation;
        const bool inside = r >= 0 && r < a->input;
        s->d.rows[fy] = inside ? s->ring + (uint32_t)(r % s->slots) * (uint32_t)s->columns : s->zeros;
    }
}

static void run_image(const strip *s, const int8_t *image, int8_t *y) {
    const opc_window *w = &s->d.window;
    int32_t loaded = 0;
    for (int32_t oy = 0; oy < w->y.output; oy++) {
        const int32_t start = oy * w->y.stride - w->y.pad;
        const int32_t end = start + span(&w->y) < w->y.input ? start + span(&w->y) : w->y.input;
        for (loaded = loaded > start ? loaded : start; loaded < end; loaded++) {
            load_row(s, image, loaded);
        }
        point_rows(s, start);
        opc_units_run(&s->d, y, s->c->out_channels);
        y += (uint32_t)w->x.output * s->c->out_channels;
    }
}

/* Weights, biases and factors of the channels from `o` on. */
static void load_channels(strip *s, uint32_t o, opc_unit *weights) {
    const opc_conv *c = s->c;
    const uint32_t left = c->out_channels - o;
    s->d.lanes = left < OPC_UNIT_CHANNELS ? left : OPC_UNIT_CHANNELS;
    s->d.weights = weights;
    s->d.quick = s->d.lanes == OPC_UNIT_CHANNELS;
    opc_units_load(weights, opc_i8(&c->w) + o, (uint32_t)(s->d.window.y.size * s->d.window.x.size), c->out_channels,
                   s->d.lanes, 0);
    for (uint32_t k = 0; k < OPC_UNIT_CHANNELS; k++) {
        const uint32_t channel = o + (k < s->d.lanes ? k : 0);
        const int32_t bias = c->b.data == NULL ? 0 : opc_i32(&c->b)[channel];
        opc_lane *lane = &s->d.lane[OPC_UNIT_SLOT(k)];
        *lane = opc_lane_of(opc_ratio_times(&s->ratio, opc_scale(&c->w, channel)), bias, s->d.zero_y);
        s->d.quick = s->d.quick && opc_lane_is_quick(lane);
    }
}

void opc_depthwise_run_s8(const opc_node *node, const opc_conv *c, int32_t lo, int32_t hi) {
    if (c->y.elements == 0) {
        return;
    }
    strip s;
    (void)plan(&s, c);
    s.ratio = opc_conv_ratio(c);
    s.d.zero_x = opc_zero_point(&c->x, 0);
    s.d.zero_y = opc_zero_point(&c->y, 0);
    s.zeros = opc_scratch_data(node);
    s.ring = s.zeros + s.columns;
    opc_unit *weights = s.ring + (uint32_t)s.slots * (uint32_t)s.columns;
    s.d.rows = (const opc_unit **)(void *)(weights + (uint32_t)(s.d.window.y.size * s.d.window.x.size));
    memset(s.zeros, 0, (uint32_t)((int8_t *)weights - (int8_t *)s.zeros));
    const uint32_t image = (uint32_t)(c->window.y.input * c->window.x.input) * c->in_channels;
    const uint32_t plane = (uint32_t)(c->window.y.output * c->window.x.output) * c->out_channels;
    for (uint32_t o = 0; o < c->out_channels; o += OPC_UNIT_CHANNELS) {
        load_channels(&s, o, weights);
        for (uint32_t b = 0; b < c->batches; b++) {
            run_image(&s, opc_i8(&c->x) + b * image + o, (int8_t *)c->y.data + b * plane + o);
        }
    }
    opc_clamp_s8((int8_t *)c->y.data, c->y.elements, lo, hi);
}

#else

/* No memory: taps outside the input are left out. Neighbouring channels share the cost of the loops. */
enum { SIDE = 4 };

typedef struct block {
    const opc_conv *c;
    opc_lane lane[SIDE];
    uint32_t lanes; /* 1 or SIDE */
    int32_t zero_x;
    int32_t zero_y;
} block;

void opc_depthwise_plan_s8(opc_node *node, const opc_conv *c) {
    (void)node;
    (void)c;
}

/* n taps of one row; |(x - zero) * w| < 2^15, modulo 2^32. */
static void add_row(const block *b, const int8_t *x, const int8_t *w, int32_t n, uint32_t *sums) {
    const uint32_t step_x = (uint32_t)b->c->window.x.dilation * b->c->in_channels;
    const uint32_t step_w = b->c->out_channels;
    const int32_t zero = b->zero_x;
    if (b->lanes == 1) {
        for (; n > 0; n--, x += step_x, w += step_w) {
            sums[0] += (uint32_t)((*x - zero) * *w);
        }
        return;
    }
    uint32_t a0 = sums[0];
    uint32_t a1 = sums[1];
    uint32_t a2 = sums[2];
    uint32_t a3 = sums[3];
    for (; n > 0; n--, x += step_x, w += step_w) {
        a0 += (uint32_t)((x[0] - zero) * w[0]);
        a1 += (uint32_t)((x[1] - zero) * w[1]);
        a2 += (uint32_t)((x[2] - zero) * w[2]);
        a3 += (uint32_t)((x[3] - zero) * w[3]);
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = a2;
    sums[3] = a3;
}

static void run_window(const block *b, const int8_t *x0, const int8_t *w0, opc_taps ty, opc_taps tx, int8_t *y) {
    const opc_conv *c = b->c;
    const opc_window *w = &c->window;
    uint32_t sums[SIDE] = {0, 0, 0, 0};
    for (int32_t fy = ty.first; fy < ty.end && tx.first < tx.end; fy++) {
        const int32_t row = (ty.start + fy * w->y.dilation) * w->x.input;
        const int8_t *x = x0 + (uint32_t)(row + tx.start + tx.first * w->x.dilation) * c->in_channels;
        add_row(b, x, w0 + (uint32_t)(fy * w->x.size + tx.first) * c->out_channels, tx.end - tx.first, sums);
    }
    for (uint32_t k = 0; k < b->lanes; k++) {
        y[k] = (int8_t)opc_scale_any((int32_t)sums[k], &b->lane[k], b->zero_y);
    }
}

static void run_channels(const block *b, const int8_t *x, const int8_t *w, int8_t *y) {
    const opc_conv *c = b->c;
    for (int32_t oy = 0; oy < c->window.y.output; oy++) {
        const opc_taps ty = opc_window_taps(&c->window.y, oy);
        for (int32_t ox = 0; ox < c->window.x.output; ox++, y += c->out_channels) {
            run_window(b, x, w, ty, opc_window_taps(&c->window.x, ox), y);
        }
    }
}

void opc_depthwise_run_s8(const opc_node *node, const opc_conv *c, int32_t lo, int32_t hi) {
    (void)node;
    block b = {.c = c, .zero_x = opc_zero_point(&c->x, 0), .zero_y = opc_zero_point(&c->y, 0)};
    const opc_ratio ratio = opc_conv_ratio(c);
    const uint32_t image = (uint32_t)(c->window.y.input * c->window.x.input) * c->in_channels;
    const uint32_t plane = (uint32_t)(c->window.y.output * c->window.x.output) * c->out_channels;
    for (uint32_t o = 0; o < c->out_channels; o += b.lanes) {
        b.lanes = c->out_channels - o >= SIDE ? SIDE : 1;
        for (uint32_t k = 0; k < b.lanes; k++) {
            const int32_t bias = c->b.data == NULL ? 0 : opc_i32(&c->b)[o + k];
            b.lane[k] = opc_lane_of(opc_ratio_times(&ratio, opc_scale(&c->w, o + k)), bias, b.zero_y);
        }
        for (uint32_t i = 0; i < c->batches; i++) {
            run_channels(&b, opc_i8(&c->x) + i * image + o, opc_i8(&c->w) + o, (int8_t *)c->y.data + i * plane + o);
        }
    }
    opc_clamp_s8((int8_t *)c->y.data, c->y.elements, lo, hi);
}

#endif
