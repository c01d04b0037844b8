/* What the SVDF kernels have in common. */
#ifndef OPCONFORM_KERNEL_SVDF_H
#define OPCONFORM_KERNEL_SVDF_H

#include "fixedpoint.h"
#include "kernel_util.h"

typedef struct opc_svdf {
    opc_tensor x;         /* [batches, inputs] */
    opc_tensor w_feature; /* [filters, inputs] */
    opc_tensor w_time;    /* [filters, memory] */
    opc_tensor bias;      /* [units]; dims NULL when absent */
    opc_tensor state;     /* [batches, filters * memory] */
    opc_tensor y;         /* [batches, units] */
    uint32_t batches;
    uint32_t inputs;
    uint32_t filters;
    uint32_t memory;
    uint32_t units;
    uint32_t rank; /* filters per unit */
    uint8_t activation;
} opc_svdf;

/* Fetch and check everything but dtypes and quantization of the weights. */
opc_status opc_svdf_fetch(opc_node *node, opc_svdf *s);
/* Forget the oldest column of the state: each filter's memory moves one step towards its start. */
void opc_svdf_shift(const opc_svdf *s);

#endif
