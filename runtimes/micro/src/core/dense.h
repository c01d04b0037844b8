/* What the types of FULLY_CONNECTED have in common. */
#ifndef OPCONFORM_DENSE_H
#define OPCONFORM_DENSE_H

#include "fixedpoint.h"

typedef struct opc_dense {
    opc_tensor x;
    opc_tensor weights; /* [units, depth] */
    opc_tensor bias;    /* data NULL when absent */
    opc_tensor y;
    uint32_t batches;
    uint32_t units;
    uint32_t depth;
    bool has_bias;
} opc_dense;

/* Fetch the tensors and the sizes; the sizes mean something only for a node that opc_dense_check has passed. */
bool opc_dense_views(const opc_node *node, opc_dense *d);
/* For prepare: number, types and shapes of the tensors, and options that are supported. */
opc_status opc_dense_check(opc_node *node, opc_dense *d, uint8_t dtype, uint8_t weight_dtype);

/* One scale and zero point, or a scale for each unit. */
bool opc_dense_weights_quantized(const opc_dense *d);

/* What a quantized node keeps. With weights per channel, `multiplier` is unused and computed for each unit. */
typedef struct opc_dense_data {
    opc_multiplier multiplier;
    int32_t lo;
    int32_t hi;
} opc_dense_data;

/* For prepare of quantized types, after opc_dense_check: validates quantization and fills the node's opc_dense_data. */
opc_status opc_dense_quantize(opc_node *node, const opc_dense *d);
/* Multiplier of one unit. */
opc_multiplier opc_dense_multiplier(const opc_dense *d, const opc_dense_data *data, uint32_t unit);

#endif
