/* What the RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR kernels have in common. */
#ifndef OPCONFORM_KERNEL_RESIZE_H
#define OPCONFORM_KERNEL_RESIZE_H

#include "kernel_move.h"

typedef struct opc_resize {
    opc_tensor in[2];
    opc_tensor y;
    bool align_corners;
    bool half_pixel_centers;
} opc_resize;

/* Tensors, shapes and the two options, the first of which lies in slot `first_option`. Sizes are at most 2^20, so that
 * positions in 1/1024 fit int32. */
opc_status opc_resize_fetch(opc_node *node, opc_resize *r, uint32_t first_option);

/* Float interpolation, for float32 and uint8: where one output row or column lies between two of the input. */
typedef struct opc_between {
    uint32_t low;
    uint32_t high;
    float weight; /* of high; may lie slightly outside of [0, 1] at the border */
} opc_between;
opc_between opc_resize_between(const opc_resize *r, uint32_t axis, int32_t position);
/* The four elements around a point in the order low-low, high-low, low-high, high-high (y, x), as element offsets. */
void opc_resize_corners(const opc_resize *r, uint32_t batch, const uint32_t *y, const uint32_t *x, uint32_t *corners);

#endif
