#include "kernel_window.h"

/* Output size and padding of one axis (the schema's SAME and VALID). False when the output's dimension is another one.
 */
static bool plan_axis(opc_window_axis *a, uint8_t padding) {
    if (a->size <= 0 || a->stride <= 0 || a->dilation <= 0) {
        return false;
    }
    /* size, dilation < 2^31, so everything below fits 64 bits */
    const int64_t span = (int64_t)(a->size - 1) * a->dilation + 1;
    const int64_t reach = padding == OPC_PADDING_SAME ? (int64_t)a->input + a->stride - 1 : a->input - span + a->stride;
    if (reach < 0 || a->output != (int32_t)(reach / a->stride)) {
        return false;
    }
    const int64_t missing = ((int64_t)a->output - 1) * a->stride + span - a->input;
    const int64_t pad = padding == OPC_PADDING_SAME && missing > 0 ? missing / 2 : 0;
    a->pad = (int32_t)pad;
    /* Positions inside a window must fit int32, because kernels compute them so. */
    return span + pad + a->input < (INT64_C(1) << 30);
}

opc_status opc_window_plan(opc_node *node, const opc_tensor *input, const opc_tensor *output, uint8_t padding,
                           opc_window *w) {
    if (input->rank != 4 || output->rank != 4 || input->dims[0] != output->dims[0]) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input and output must have rank 4 and the same batch");
    }
    w->y.input = input->dims[1];
    w->x.input = input->dims[2];
    w->y.output = output->dims[1];
    w->x.output = output->dims[2];
    if (padding > OPC_PADDING_VALID || !plan_axis(&w->y, padding) || !plan_axis(&w->x, padding)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "window, strides, dilations and shapes do not fit together");
    }
    return OPC_OK;
}

/* Ceiling of n / d for d > 0; 0 for n <= 0. */
static int32_t steps_to(int32_t n, int32_t d) {
    if (n <= 0) {
        return 0;
    }
    return d == 1 ? n : (n - 1) / d + 1;
}

opc_taps opc_window_taps(const opc_window_axis *a, int32_t position) {
    opc_taps t;
    t.start = position * a->stride - a->pad;
    t.first = steps_to(-t.start, a->dilation);
    t.end = steps_to(a->input - t.start, a->dilation);
    t.end = t.end > a->size ? a->size : t.end;
    return t;
}

static opc_status fetch(opc_node *node, opc_conv *c, uint8_t w_dtype, uint8_t b_dtype) {
    const uint32_t inputs = opc_input_count(node);
    if (inputs < 2 || inputs > 3 || opc_output_count(node) != 1 || !opc_input(node, 0, &c->x) ||
        !opc_input(node, 1, &c->w) || !opc_output(node, 0, &c->y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "wrong number of inputs or outputs");
    }
    const bool has_bias = opc_input(node, 2, &c->b);
    if (c->w.dtype != w_dtype || (has_bias && c->b.dtype != b_dtype)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "this combination of dtypes is not supported");
    }
    OPC_TRY(opc_same_dtype(node, &c->x, &c->y));
    if (c->x.rank != 4 || c->w.rank != 4 || c->y.rank != 4) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input, filter and output must have rank 4");
    }
    c->in_channels = (uint32_t)c->x.dims[3];
    c->out_channels = (uint32_t)c->y.dims[3];
    c->batches = (uint32_t)c->y.dims[0];
    if (has_bias && c->b.elements != c->out_channels) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the bias does not have one element per output channel");
    }
    return OPC_OK;
}

static opc_status plan(opc_node *node, opc_conv *c, uint32_t dilation_slot) {
    c->window.y.size = c->w.dims[1];
    c->window.x.size = c->w.dims[2];
    c->window.x.stride = opc_option_i32(node, 1, 0);
    c->window.y.stride = opc_option_i32(node, 2, 0);
    c->window.x.dilation = opc_option_i32(node, dilation_slot, 1);
    c->window.y.dilation = opc_option_i32(node, dilation_slot + 1, 1);
    return opc_window_plan(node, &c->x, &c->y, opc_option_u8(node, 0, OPC_PADDING_SAME), &c->window);
}

opc_status opc_conv_fetch(opc_node *node, opc_conv *c, uint8_t w_dtype, uint8_t b_dtype) {
    OPC_TRY(fetch(node, c, w_dtype, b_dtype));
    c->activation = opc_option_u8(node, 3, OPC_ACT_NONE);
    c->group_in = (uint32_t)c->w.dims[3];
    const uint32_t groups = c->group_in == 0 ? 0 : c->in_channels / c->group_in;
    if (groups == 0 || groups * c->group_in != c->in_channels || c->out_channels % groups != 0 ||
        (uint32_t)c->w.dims[0] != c->out_channels) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "filter, groups and channels do not fit together");
    }
    if (c->b.dims == NULL) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the bias is missing");
    }
    c->group_out = c->out_channels / groups;
    return plan(node, c, 4);
}

opc_status opc_depthwise_fetch(opc_node *node, opc_conv *c, uint8_t w_dtype, uint8_t b_dtype) {
    OPC_TRY(fetch(node, c, w_dtype, b_dtype));
    c->activation = opc_option_u8(node, 4, OPC_ACT_NONE);
    c->group_in = 1;
    /* The depth multiplier follows from the shapes; the option repeats it and is ignored, as LiteRT does. */
    c->group_out = c->in_channels == 0 ? 0 : c->out_channels / c->in_channels;
    if (c->group_out == 0 || c->group_out * c->in_channels != c->out_channels || c->w.dims[0] != 1 ||
        (uint32_t)c->w.dims[3] != c->out_channels) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "filter, depth multiplier and channels do not fit together");
    }
    return plan(node, c, 5);
}

opc_status opc_conv_check_weights(opc_node *node, const opc_conv *c, int32_t axis) {
    const bool per_tensor = c->w.scale_count == 1;
    if (!per_tensor && (c->w.scale_count != c->out_channels || c->w.axis != axis)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the filter has neither one scale nor one per output channel");
    }
    for (uint32_t i = 0; i < c->w.zero_count; i++) {
        if (opc_zero_point(&c->w, i) != 0) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "the filter's zero points must be 0");
        }
    }
    return OPC_OK;
}

opc_status opc_conv_check_quantized(opc_node *node, const opc_conv *c, int32_t axis) {
    OPC_TRY(opc_need_quantized(node, &c->x, &c->y));
    OPC_TRY(opc_conv_check_weights(node, c, axis));
    if (c->x.dtype == OPC_INT16 && (opc_zero_point(&c->x, 0) != 0 || opc_zero_point(&c->y, 0) != 0)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "int16 tensors must have zero point 0");
    }
    return OPC_OK;
}

opc_multiplier opc_conv_multiplier(const opc_conv *c, uint32_t channel) {
    return opc_multiplier_of(opc_scale(&c->x, 0), opc_scale(&c->w, channel), opc_scale(&c->y, 0), 0);
}

opc_ratio opc_conv_ratio(const opc_conv *c) {
    return opc_ratio_of(opc_scale(&c->x, 0), opc_scale(&c->y, 0), 0);
}

opc_status opc_conv_again(opc_node *node, opc_conv *c, bool depthwise, int32_t *lo, int32_t *hi) {
    OPC_TRY(depthwise ? opc_depthwise_fetch(node, c, OPC_INT8, OPC_INT32)
                      : opc_conv_fetch(node, c, OPC_INT8, OPC_INT32));
    return opc_activation_range(node, &c->y, c->activation, lo, hi);
}

opc_status opc_conv_integer(opc_node *node, opc_conv *c, bool depthwise, uint8_t w_dtype, uint8_t b_dtype, int32_t *lo,
                            int32_t *hi) {
    OPC_TRY(depthwise ? opc_depthwise_fetch(node, c, w_dtype, b_dtype) : opc_conv_fetch(node, c, w_dtype, b_dtype));
    OPC_TRY(opc_conv_check_quantized(node, c, depthwise ? 3 : 0));
    return opc_activation_range(node, &c->y, c->activation, lo, hi);
}

opc_status opc_conv_float(opc_node *node, opc_conv *c, bool depthwise, float *lo, float *hi) {
    opc_tensor w;
    const uint8_t dtype = opc_input(node, 1, &w) && w.dtype == OPC_INT8 ? OPC_INT8 : OPC_FLOAT32;
    OPC_TRY(depthwise ? opc_depthwise_fetch(node, c, dtype, OPC_FLOAT32) : opc_conv_fetch(node, c, dtype, OPC_FLOAT32));
    if (dtype == OPC_INT8) {
        OPC_TRY(opc_conv_check_weights(node, c, depthwise ? 3 : 0));
    }
    return opc_float_activation_range(node, c->activation, lo, hi);
}

float opc_conv_float_factor(const opc_conv *c, uint32_t channel) {
    return c->w.dtype == OPC_INT8 ? opc_scale(&c->w, channel) : 1.0f;
}
