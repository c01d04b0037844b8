#include "kernel_deconv.h"

/* TransposeConvOptions */
enum { PADDING = 0, STRIDE_W = 1, STRIDE_H = 2, ACTIVATION = 3 };

static opc_status fetch(opc_node *node, opc_conv *c, opc_tensor *shape, uint8_t b_dtype) {
    const uint32_t inputs = opc_input_count(node);
    if (inputs < 3 || inputs > 4 || opc_output_count(node) != 1 || !opc_input(node, 0, shape) ||
        !opc_input(node, 1, &c->w) || !opc_input(node, 2, &c->x) || !opc_output(node, 0, &c->y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "wrong number of inputs or outputs");
    }
    const bool has_bias = opc_input(node, 3, &c->b);
    OPC_TRY(opc_same_dtype(node, &c->x, &c->y));
    if (c->x.rank != 4 || c->w.rank != 4 || c->y.rank != 4) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input, filter and output must have rank 4");
    }
    c->in_channels = (uint32_t)c->x.dims[3];
    c->out_channels = (uint32_t)c->y.dims[3];
    if (c->w.dims[0] != c->y.dims[3] || c->w.dims[3] != c->x.dims[3]) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "filter and channels do not fit together");
    }
    if (has_bias && (c->b.dtype != b_dtype || c->b.elements != c->out_channels)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "a bias of a wrong type or size");
    }
    return OPC_OK;
}

static opc_status check_shape(opc_node *node, const opc_tensor *shape, const opc_tensor *y) {
    bool fits = shape->dtype == OPC_INT32 && shape->elements == 4;
    for (uint32_t i = 0; fits && shape->data != NULL && i < 4; i++) {
        fits = opc_i32(shape)[i] == y->dims[i];
    }
    return fits ? OPC_OK
                : OPC_FAIL(node, (shape->flags & OPC_CONSTANT) != 0 ? OPC_INVALID_MODEL : OPC_INVALID_INPUT,
                           "the output's shape is not the one that input 0 asks for");
}

opc_status opc_deconv_start(opc_node *node, opc_deconv *d, uint8_t b_dtype) {
    opc_conv *c = &d->conv;
    opc_tensor shape;
    OPC_TRY(fetch(node, c, &shape, b_dtype));
    OPC_TRY(check_shape(node, &shape, &c->y));
    c->activation = opc_option_u8(node, ACTIVATION, OPC_ACT_NONE);
    c->window.y.size = c->w.dims[1];
    c->window.x.size = c->w.dims[2];
    c->window.x.stride = opc_option_i32(node, STRIDE_W, 0);
    c->window.y.stride = opc_option_i32(node, STRIDE_H, 0);
    c->window.x.dilation = 1;
    c->window.y.dilation = 1;
    OPC_TRY(opc_window_plan(node, &c->y, &c->x, opc_option_u8(node, PADDING, OPC_PADDING_SAME), &c->window));
    d->channels = c->y.elements == 0 ? 0 : c->out_channels;
    d->places = d->channels == 0 ? 0 : c->y.elements / d->channels;
    return OPC_OK;
}

static void to_start(opc_deconv_axis *a, const opc_window_axis *w) {
    a->stride = w->stride;
    a->size = w->size;
    a->input = w->output;
    a->phase = w->pad % w->stride;
    a->last = w->pad / w->stride;
}

static void forward(opc_deconv_axis *a) {
    a->phase++;
    if (a->phase == a->stride) {
        a->phase = 0;
        a->last++;
    }
}

/* Before the first tap. */
static void rewind(opc_deconv_axis *a) {
    a->tap = a->phase - a->stride;
    a->from = a->last + 1;
}

static bool step(opc_deconv_axis *a) {
    a->tap += a->stride;
    a->from--;
    return a->tap < a->size && a->from >= 0;
}

static void begin_place(opc_deconv *d) {
    rewind(&d->down);
    d->across.tap = d->across.size; /* no taps are left in the row before the first one */
}

void opc_deconv_channel(opc_deconv *d, uint32_t channel) {
    d->channel = channel;
    d->row = 0;
    d->column = 0;
    d->y_at = channel;
    d->image = 0;
    to_start(&d->down, &d->conv.window.y);
    to_start(&d->across, &d->conv.window.x);
    begin_place(d);
}

void opc_deconv_next(opc_deconv *d) {
    d->y_at += d->conv.out_channels;
    d->column++;
    forward(&d->across);
    if (d->column == (uint32_t)d->conv.window.x.input) {
        d->column = 0;
        d->row++;
        to_start(&d->across, &d->conv.window.x);
        forward(&d->down);
        if (d->row == (uint32_t)d->conv.window.y.input) {
            d->row = 0;
            d->image += (uint32_t)(d->down.input * d->across.input) * d->conv.in_channels;
            to_start(&d->down, &d->conv.window.y);
        }
    }
    begin_place(d);
}

bool opc_deconv_tap(opc_deconv *d) {
    for (;;) {
        if (!step(&d->across)) {
            if (!step(&d->down)) {
                return false;
            }
            rewind(&d->across);
        } else if (d->across.from < d->across.input && d->down.from < d->down.input) {
            const uint32_t from = (uint32_t)(d->down.from * d->across.input + d->across.from);
            const uint32_t tap = (uint32_t)(d->down.tap * d->across.size + d->across.tap);
            const uint32_t taps = (uint32_t)(d->down.size * d->across.size);
            d->x_at = d->image + from * d->conv.in_channels;
            d->w_at = (d->channel * taps + tap) * d->conv.in_channels;
            return true;
        }
    }
}
