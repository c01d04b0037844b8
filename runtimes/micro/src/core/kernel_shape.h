/* Walking tensors along chosen axes. */
#ifndef OPCONFORM_KERNEL_SHAPE_H
#define OPCONFORM_KERNEL_SHAPE_H

#include "kernel_util.h"

/* An odometer over some dimensions of a tensor: `offset` is in elements. Runs through `count` positions. */
typedef struct opc_odometer {
    uint32_t dims[OPC_MAX_RANK];
    uint32_t strides[OPC_MAX_RANK];
    uint32_t index[OPC_MAX_RANK];
    uint32_t rank;
    uint32_t count;
    uint32_t offset;
} opc_odometer;

/* An odometer of no dimensions: one position at offset 0. */
void opc_odometer_clear(opc_odometer *o);
/* Add a dimension outside of those added before. Strides may be negative: offsets wrap. */
void opc_odometer_add(opc_odometer *o, uint32_t dim, uint32_t stride);
/* The dimensions whose bit in `axes` is set; neighbours are merged where that walks the same elements. */
void opc_odometer_start(opc_odometer *o, const opc_tensor *t, uint32_t axes);
void opc_odometer_next(opc_odometer *o);

/* A reduction: which axes, checked against the output's shape. `axes` is 0 in prepare when the axis tensor is not
 * constant; then only what is known is checked. keep: reduced axes stay as ones. */
opc_status opc_reduced_axes(opc_node *node, const opc_tensor *x, const opc_tensor *axis, const opc_tensor *y, bool keep,
                            uint32_t *axes);

#endif
