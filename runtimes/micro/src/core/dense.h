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

/* What a quantized node keeps. */
typedef struct opc_dense_data {
    int16_t zero_x;
    int16_t zero_w;
    int16_t zero_y;
    int16_t lo;
    int16_t hi;
    uint16_t per_unit; /* 1: a factor for each unit, 0: one for all */
    opc_multiplier factors[];
} opc_dense_data;

/* The whole prepare of a quantized type: checks, quantization, and the node's opc_dense_data. */
opc_status opc_dense_prepare(opc_node *node, uint8_t dtype, uint8_t weight_dtype);

/* A matrix of int8 weights times vectors of int8, rescaled to 8 bits. */
typedef struct opc_rows8 {
    const int8_t *w;               /* [units, depth], depth > 0 */
    const int32_t *bias;           /* [units], or NULL */
    const opc_multiplier *factors; /* one, or one for each unit; shifts -31 ... 7 */
    uint32_t per_unit;             /* 1: one for each unit */
    uint32_t units;
    uint32_t depth;
    int32_t zero_x; /* |zero_x| <= 2^8 */
    int32_t start;  /* what each sum starts from */
    int32_t zero_y; /* lo <= zero_y */
    int32_t lo;
    int32_t hi;
} opc_rows8;

/* y[u] = clamp(mbqm(start + bias[u] + sum of (x[k] - zero_x) * w[u, k], factor) + zero_y); sums modulo 2^32.
 */
typedef void opc_rows8_run(const opc_rows8 *m, const int8_t *x, uint8_t *y);
opc_rows8_run opc_dense_rows8;
/* Sum of (x[k] - zero) * w[k], modulo 2^32. */
uint32_t opc_dense_dot8(const int8_t *x, const int8_t *w, uint32_t n, int32_t zero);

/* The whole invoke of an 8-bit type; flip: see opc_flip. */
opc_status opc_dense_invoke8(opc_node *node, opc_rows8_run *run, uint8_t flip);

#endif
