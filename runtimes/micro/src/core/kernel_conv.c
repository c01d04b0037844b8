#include "kernel_conv.h"

#include <string.h>

#include "kernel_panel.h"

/* Memory for panels is shared by as many as fit: a window that must be copied together is copied once for all. It is
 * bounded by a share of what the node takes anyway, or by what a window of 3 x 3 with as many inputs as outputs needs.
 */
enum { ROOM = 3072, MOST = 8, SHARE = 16, PER_CHANNEL = 72 };

/* A short window and a single panel lie on the stack. */
enum { SHORT = 96 };

/* From this length on runs are read in place, where all taps of a row of the window are inside the input. */
enum { LONG_RUN = 16 };

typedef struct job {
    const opc_conv *c;
    opc_panel_set set;
    opc_ratio ratio;
    uint32_t bytes; /* of one panel's weights */
    uint32_t most;  /* panels at a time */
    uint32_t count; /* panels now */
    bool slides;    /* windows inside the input are read in place */
    bool patched;   /* some windows are copied */
    opc_panel *panels;
    uint8_t *room;
    int8_t *patch;
} job;

/* Can rows of the window be read in place? Then they are the runs; else the whole window is one, copied together. */
static void plan_runs(job *j) {
    const opc_conv *c = j->c;
    const opc_window *w = &c->window;
    const bool alone = w->y.size == 1 && w->x.size == 1; /* never outside the input */
    const bool joined = w->x.size == 1 || (w->x.dilation == 1 && c->group_in == c->in_channels);
    j->set.run = (uint32_t)w->x.size * c->group_in;
    j->set.runs = (uint32_t)w->y.size;
    j->slides = joined && opc_panel_reads(&j->set) == j->set.run && (alone || j->set.run >= LONG_RUN);
    j->patched = !alone || !j->slides;
    if (!j->slides) {
        j->set.run *= j->set.runs;
        j->set.runs = 1;
    }
}

/* Bytes of the copy of a window in the memory of an invocation. */
static uint32_t copied(const job *j) {
    const uint32_t bytes = j->patched ? j->set.runs * opc_panel_reads(&j->set) : 0;
    return bytes <= SHORT ? 0 : bytes;
}

static uint32_t needed(const job *j) {
    return j->most * j->bytes + (j->most > 1 ? j->most * (uint32_t)sizeof(opc_panel) : 0) + copied(j);
}

static void plan(job *j, const opc_conv *c, bool depthwise) {
    const uint32_t share = (c->x.bytes + c->y.bytes) / SHARE; /* < 2^28 */
    const uint32_t own = c->out_channels < ROOM ? PER_CHANNEL * c->out_channels : PER_CHANNEL * ROOM;
    const uint32_t room = share > own ? share : own;
    j->c = c;
    j->set.tap_step = depthwise ? c->out_channels : 1;
    j->most = 1;
    j->set.narrow = true;
    do {
        j->set.narrow = !j->set.narrow;
        plan_runs(j);
        j->bytes = opc_panel_bytes(&j->set);
    } while (!j->set.narrow && j->bytes > room);
    j->set.channel_step = depthwise ? 1 : j->set.run * j->set.runs;
    const uint32_t wanted = (c->group_out + OPC_LANES - 1) / OPC_LANES;
    const uint32_t fit = (room < ROOM ? room : ROOM) / (j->bytes + (uint32_t)sizeof(opc_panel));
    j->most = j->slides || fit < 2 ? 1 : fit < MOST ? fit : MOST;
    j->most = wanted < j->most ? wanted : j->most;
}

void opc_conv_plan_s8(opc_node *node, const opc_conv *c, bool depthwise) {
    job j;
    plan(&j, c, depthwise);
    opc_scratch(node, needed(&j)); /* < 2^30 + 2^30 + 2^15 */
}

/* Copy n bytes: windows are too short for the call of a library function to pay. */
static inline int8_t *copy(int8_t *to, const int8_t *from, uint32_t n) {
#ifdef OPC_MVE
    for (; n > 16; n -= 16, to += 16, from += 16) {
        vst1q_s8(to, vld1q_s8(from));
    }
    vstrbq_p_s8(to, vldrbq_z_s8(from, vctp8q(n)), vctp8q(n));
    return to + n;
#else
    for (; n >= 4; n -= 4, to += 4, from += 4) {
        memcpy(to, from, 4);
    }
    for (; n != 0; n--) {
        *to++ = *from++;
    }
    return to;
#endif
}

static inline int8_t *fill(int8_t *to, uint32_t n, int32_t value) {
    for (; n != 0; n--) {
        *to++ = (int8_t)value;
    }
    return to;
}

/* The inputs of one row of the window, `inside` of them taps [tx.first, tx.end); the others are zero points. */
static int8_t *gather_row(const job *j, const int8_t *x, opc_taps tx, int8_t *to) {
    const opc_conv *c = j->c;
    const uint32_t inside = (uint32_t)(tx.end - tx.first);
    to = fill(to, (uint32_t)tx.first * c->group_in, j->set.zero_x);
    if (c->window.x.dilation == 1 && c->group_in == c->in_channels) {
        to = copy(to, x, inside * c->group_in);
    } else {
        const uint32_t jump = (uint32_t)c->window.x.dilation * c->in_channels;
        for (uint32_t i = 0; i < inside; i++, x += jump) {
            to = copy(to, x, c->group_in);
        }
    }
    return fill(to, (uint32_t)(c->window.x.size - tx.end) * c->group_in, j->set.zero_x);
}

static opc_taps clip(const opc_window_axis *a, int32_t position) {
    opc_taps t = opc_window_taps(a, position);
    t.end = t.end > t.first ? t.end : t.first;
    if (t.first >= a->size || t.end == t.first) {
        t.first = 0;
        t.end = 0;
    }
    return t;
}

/* The whole window of one position in the order of the weights. */
static void gather(const job *j, const int8_t *image, opc_taps ty, opc_taps tx) {
    const opc_window *w = &j->c->window;
    const uint32_t row = (uint32_t)w->x.size * j->c->group_in;
    int8_t *to = fill(j->patch, (uint32_t)ty.first * row, j->set.zero_x);
    const int32_t column = tx.start + tx.first * w->x.dilation;
    for (int32_t fy = ty.first; fy < ty.end; fy++) {
        const int32_t line = (ty.start + fy * w->y.dilation) * w->x.input;
        to = gather_row(j, image + (uint32_t)(line + column) * j->c->in_channels, tx, to);
    }
    fill(to, (uint32_t)(w->y.size - ty.end) * row, j->set.zero_x);
}

/* The outputs [first, end) of a row whose windows lie inside the input. */
typedef struct stretch {
    int32_t first;
    int32_t end;
} stretch;

static stretch inside(const job *j) {
    const opc_window_axis *a = &j->c->window.x;
    stretch s = {0, 0};
    if (j->slides) {
        const int32_t room = a->input + a->pad - ((a->size - 1) * a->dilation + 1); /* < 2^30 in magnitude */
        s.first = (int32_t)(((uint32_t)a->pad + (uint32_t)a->stride - 1U) / (uint32_t)a->stride);
        s.end = room < 0 ? 0 : room / a->stride + 1;
        s.end = s.end < a->output ? s.end : a->output;
        s.end = s.end > s.first ? s.end : s.first;
    }
    return s;
}

/* Outputs [from, end) of row `oy`, each window copied together. */
static void run_patches(job *j, const int8_t *image, opc_taps ty, int32_t from, int32_t end, int8_t *y) {
    const opc_conv *c = j->c;
    j->set.run_step = j->set.run;
    for (int32_t ox = from; ox < end; ox++) {
        gather(j, image, ty, clip(&c->window.x, ox));
        opc_panel_run(&j->set, j->panels, j->count, j->patch, y + (uint32_t)ox * c->out_channels, 1);
    }
}

/* One image. Where windows are single positions that lie side by side, the whole image is one row. */
static void run_image(job *j, const int8_t *image, int8_t *y) {
    const opc_conv *c = j->c;
    const opc_window *w = &c->window;
    const stretch s = inside(j);
    const bool flat = !j->patched && w->x.stride == 1 && w->y.stride == 1;
    const uint32_t count = flat ? (uint32_t)(w->x.output * w->y.output) : (uint32_t)(s.end - s.first);
    const uint32_t row = (uint32_t)w->x.input * c->in_channels;
    for (int32_t oy = 0; oy < (flat ? 1 : w->y.output); oy++, y += (uint32_t)w->x.output * c->out_channels) {
        const opc_taps ty = clip(&w->y, oy);
        if (ty.first != 0 || ty.end != w->y.size || s.end == s.first) {
            run_patches(j, image, ty, 0, w->x.output, y);
            continue;
        }
        const int8_t *x =
            image + (uint32_t)ty.start * row + (uint32_t)(s.first * w->x.stride - w->x.pad) * c->in_channels;
        run_patches(j, image, ty, 0, s.first, y);
        j->set.run_step = (uint32_t)w->y.dilation * row;
        opc_panel_run(&j->set, j->panels, j->count, x, y + (uint32_t)s.first * c->out_channels, count);
        run_patches(j, image, ty, s.end, w->x.output, y);
    }
}

/* Panels from channel `o` on, as many as fit and belong to its group; returns the next channel. */
static uint32_t load(job *j, uint32_t o) {
    const opc_conv *c = j->c;
    const uint32_t end = (o / c->group_out + 1) * c->group_out;
    for (j->count = 0; j->count < j->most && o < end; j->count++) {
        opc_panel *p = &j->panels[j->count];
        int32_t offset[OPC_LANES];
        p->lanes = end - o < OPC_LANES ? end - o : OPC_LANES;
        opc_panel_pack(&j->set, p, opc_i8(&c->w) + o * j->set.channel_step, j->room + j->count * j->bytes, offset);
        p->quick = p->lanes == OPC_LANES;
        for (uint32_t k = 0; k < p->lanes; k++) {
            const int32_t bias = c->b.data == NULL ? 0 : opc_i32(&c->b)[o + k];
            p->lane[k] = opc_lane_of(opc_ratio_times(&j->ratio, opc_scale(&c->w, o + k)), opc_add32(bias, offset[k]),
                                     j->set.zero_y);
            p->quick = p->quick && opc_lane_is_quick(&p->lane[k]);
        }
        o += p->lanes;
    }
    return o;
}

void opc_conv_run_s8(const opc_node *node, const opc_conv *c, bool depthwise, int32_t lo, int32_t hi) {
    job j;
    plan(&j, c, depthwise);
    j.ratio = opc_conv_ratio(c);
    j.set.zero_x = opc_zero_point(&c->x, 0);
    j.set.zero_y = opc_zero_point(&c->y, 0);
    j.set.in_step = (uint32_t)c->window.x.stride * c->in_channels;
    j.set.out_step = c->out_channels;
    opc_panel single;
    int8_t shorts[SHORT];
    uint8_t *memory = opc_scratch_data(node);
    j.panels = &single;
    if (j.most > 1) {
        j.panels = (opc_panel *)(void *)memory;
        memory += j.most * sizeof(opc_panel);
    }
    j.room = memory;
    j.patch = copied(&j) == 0 ? shorts : (int8_t *)memory + j.most * j.bytes;
    const uint32_t image = (uint32_t)(c->window.y.input * c->window.x.input) * c->in_channels;
    const uint32_t plane = (uint32_t)(c->window.y.output * c->window.x.output) * c->out_channels;
    for (uint32_t o = 0, next; o < c->out_channels; o = next) {
        next = load(&j, o);
        const int8_t *x = opc_i8(&c->x) + o / c->group_out * c->group_in;
        int8_t *y = (int8_t *)c->y.data + o;
        for (uint32_t b = 0; b < c->batches; b++, x += image, y += plane) {
            run_image(&j, x, y);
        }
    }
    opc_clamp_s8((int8_t *)c->y.data, c->y.elements, lo, hi);
}
