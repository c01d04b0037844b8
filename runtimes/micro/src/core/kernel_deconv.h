/* Transposed convolutions, computed output by output, so that no sums have to be kept. */
#ifndef OPCONFORM_KERNEL_DECONV_H
#define OPCONFORM_KERNEL_DECONV_H

#include "kernel_window.h"

/* One spatial axis at one place of the output: which taps of the filter bring which elements of the input there. */
typedef struct opc_deconv_axis {
    int32_t stride;
    int32_t size;  /* of the filter */
    int32_t input; /* elements of x */
    int32_t phase; /* the first tap; the others are `stride` apart */
    int32_t last;  /* element of x for the first tap; the others bring those before it */
    int32_t tap;
    int32_t from;
} opc_deconv_axis;

/* A walk of one output channel, and of the taps at each of its places. */
typedef struct opc_deconv {
    opc_conv conv; /* its window is that of the convolution from y to x */
    opc_deconv_axis down;
    opc_deconv_axis across;
    uint32_t channel;
    uint32_t channels; /* to compute: none of an empty output */
    uint32_t places;   /* of one channel */
    uint32_t row;
    uint32_t column;
    uint32_t y_at;
    uint32_t image; /* where the batch begins in x */
    uint32_t x_at;  /* of this tap: in_channels elements of x and of the filters */
    uint32_t w_at;
} opc_deconv;

/* Fetch and check everything but quantization and activation. */
opc_status opc_deconv_start(opc_node *node, opc_deconv *d, uint8_t b_dtype);
/* To the first place of a channel, to the next one. */
void opc_deconv_channel(opc_deconv *d, uint32_t channel);
void opc_deconv_next(opc_deconv *d);
/* To the next tap at this place; false when there is none. */
bool opc_deconv_tap(opc_deconv *d);

#endif
