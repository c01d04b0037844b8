/* Sliding windows: convolutions and pools over NHWC tensors. */
#ifndef OPCONFORM_KERNEL_WINDOW_H
#define OPCONFORM_KERNEL_WINDOW_H

#include "fixedpoint.h"
#include "kernel_util.h"

/* One spatial axis: input and output size, taps of the window and how it moves. */
typedef struct opc_window_axis {
    int32_t input;
    int32_t output;
    int32_t size;
    int32_t stride;
    int32_t dilation;
    int32_t pad; /* before the first element */
} opc_window_axis;

typedef struct opc_window {
    opc_window_axis y;
    opc_window_axis x;
} opc_window;

/* The taps [first, end) of the window at one output position that lie inside the input; tap t reads start + t *
 * dilation. */
typedef struct opc_taps {
    int32_t start;
    int32_t first;
    int32_t end;
} opc_taps;

enum { OPC_PADDING_SAME = 0, OPC_PADDING_VALID = 1 };

/* Check size, stride and dilation (set by the caller) of both axes against the shapes of two 4-D tensors with the same
 * batch, and compute the paddings. */
opc_status opc_window_plan(opc_node *node, const opc_tensor *input, const opc_tensor *output, uint8_t padding,
                           opc_window *w);
opc_taps opc_window_taps(const opc_window_axis *a, int32_t position);

/* Convolutions: CONV_2D and DEPTHWISE_CONV_2D. */
typedef struct opc_conv {
    opc_tensor x;
    opc_tensor w;
    opc_tensor b; /* data NULL in invoke when there is no bias */
    opc_tensor y;
    opc_window window;
    uint32_t in_channels;
    uint32_t out_channels;
    uint32_t group_in;  /* CONV_2D: input channels that one output channel reads */
    uint32_t group_out; /* CONV_2D: output channels that read the same inputs; DEPTHWISE: the depth multiplier */
    uint32_t batches;
    uint8_t activation;
} opc_conv;

/* Fetch and check tensors, shapes and options. w_dtype, and b_dtype when there is a bias, are the only dtypes accepted.
 */
opc_status opc_conv_fetch(opc_node *node, opc_conv *c, uint8_t w_dtype, uint8_t b_dtype);
opc_status opc_depthwise_fetch(opc_node *node, opc_conv *c, uint8_t w_dtype, uint8_t b_dtype);
/* Input and output per tensor; int8 weights with zero points 0, per tensor or per output channel along `axis`. */
opc_status opc_conv_check_quantized(opc_node *node, const opc_conv *c, int32_t axis);
/* The factor of output channel `channel`: s_x * s_w[channel] / s_y. */
opc_multiplier opc_conv_multiplier(const opc_conv *c, uint32_t channel);
/* The weights' scales: one, or one per output channel along `axis`; zero points 0. */
opc_status opc_conv_check_weights(opc_node *node, const opc_conv *c, int32_t axis);
/* float32 input with float32 weights, or with int8 ones that are converted as they are read; finds the clamp, too. */
opc_status opc_conv_float(opc_node *node, opc_conv *c, bool depthwise, float *lo, float *hi);
/* The factor of the weights of one output channel: 1 for float32. */
float opc_conv_float_factor(const opc_conv *c, uint32_t channel);
/* The ratio of the scales of input and output: times a weights' scale it is the factor. */
opc_ratio opc_conv_ratio(const opc_conv *c);
/* int8 in invoke: the set-up of a node that prepare has checked. */
opc_status opc_conv_again(opc_node *node, opc_conv *c, bool depthwise, int32_t *lo, int32_t *hi);
/* Fetch, check and find the clamp: the whole set-up of an integer convolution. */
opc_status opc_conv_integer(opc_node *node, opc_conv *c, bool depthwise, uint8_t w_dtype, uint8_t b_dtype, int32_t *lo,
                            int32_t *hi);

#endif
