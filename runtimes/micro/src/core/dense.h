/* What the types of FULLY_CONNECTED have in common. */
#ifndef OPCONFORM_DENSE_H
#define OPCONFORM_DENSE_H

#include "fixedpoint.h"
#include "kernel_simd.h"

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
/* Fused activation of n floats, on their bits; NaN stays. */
void opc_dense_clamp32(float *y, uint32_t n, uint8_t activation);
/* One scale and zero point, or a scale for each unit. */
bool opc_dense_weights_quantized(const opc_dense *d);

/* A matrix of 8-bit weights [units, depth] whose products with vectors are rescaled to 8 bits. Zero points are those of
 * int8, also for uint8, whose bytes are read as int8 with the top bit flipped. */
typedef struct opc_rows8 {
    uint32_t units;
    uint32_t depth; /* > 0 */
    int16_t zero_x;
    int16_t zero_w;
    int16_t zero_y; /* this and the clamp are the output type's own; lo <= zero_y */
    int16_t lo;
    int16_t hi;
    uint16_t per_unit;        /* 1: a factor for each unit, 0: one for all */
    opc_multiplier factors[]; /* shifts -31 ... 7 */
} opc_rows8;

/* What a quantized node keeps. */
typedef struct opc_dense_data {
    uint32_t batches;
    opc_rows8 rows;
} opc_dense_data;

/* The whole prepare of a quantized type: checks, quantization, and the node's opc_dense_data. */
opc_status opc_dense_prepare(opc_node *node, uint8_t dtype, uint8_t weight_dtype);

/* y[u] = clamp(mbqm(bias[u] + sum of (x[k] - zero_x) * (w[u, k] - zero_w), factor) + zero_y); sums modulo 2^32; bias
 * may be NULL. */
typedef void opc_rows8_run(const opc_rows8 *m, const int8_t *w, const int32_t *bias, const int8_t *x, uint8_t *y);
opc_rows8_run opc_dense_rows8;
/* y[u] = clamp(mbqm(acc[u], *f) + zero_y) for u < n, n > 0. */
void opc_dense_finish8(const opc_rows8 *m, const opc_multiplier *f, const uint32_t *acc, uint32_t n, uint8_t *y);
/* Sum of (x[k] - zero) * w[k], modulo 2^32. */
uint32_t opc_dense_dot8(const int8_t *x, const int8_t *w, uint32_t n, int32_t zero);

/* What a float node keeps. */
typedef struct opc_dense_float {
    uint32_t batches;
    uint32_t units;
    uint32_t depth;
    uint8_t activation;
    bool narrow; /* weights of int8 */
    bool plain;  /* weights of float32 that are constant, and neither subnormal, infinite nor NaN */
} opc_dense_float;

/* Rows of float32 weights times x, plus bias (or NULL): y[u] for u < units. */
void opc_dense_rows32(const opc_dense_float *m, const float *w, const float *bias, const float *x, float *y);
/* The same with int8 weights, that are counted from a zero point and scaled, each unit's or all by one. */
void opc_dense_rows32_int8(const opc_dense_float *m, const opc_tensor *w, const float *bias, const float *x, float *y);

/* The whole invoke of an 8-bit type. */
opc_status opc_dense_invoke8(opc_node *node, opc_rows8_run *run);

#endif
