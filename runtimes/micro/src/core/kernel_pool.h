/* What AVERAGE_POOL_2D and MAX_POOL_2D have in common. */
#ifndef OPCONFORM_KERNEL_POOL_H
#define OPCONFORM_KERNEL_POOL_H

#include "kernel_window.h"

typedef struct opc_pool {
    opc_tensor x;
    opc_tensor y;
    opc_window window;
    uint32_t channels;
    int32_t lo; /* clamp of integers */
    int32_t hi;
    uint8_t activation;
} opc_pool;

/* Where the taps of one output position lie: `rows` times `columns` elements of one channel, columns `channels`
 * elements apart, rows `row_step`. rows * columns >= 1, because no window lies wholly in the padding. */
typedef struct opc_pool_taps {
    uint32_t at;
    uint32_t rows;
    uint32_t columns;
    uint32_t row_step;
    uint32_t first; /* channel to begin with: 0 */
} opc_pool_taps;

/* The taps of output position `i` of batch, y and x, numbered row by row, without the channel. */
opc_pool_taps opc_pool_position(const opc_pool *p, uint32_t i);

/* One position of integers: all channels from its taps to the elements of y from `at` on. */
typedef void (*opc_pool_fold)(const opc_pool *p, const opc_pool_taps *t, uint32_t at);
/* prepare and invoke of integers: equal quantization of input and output, and a clamp. */
opc_status opc_pool_prepare(opc_node *node);
opc_status opc_pool_invoke(opc_node *node, opc_pool_fold fold);

/* One channel's taps of floats, columns `step` elements apart. */
typedef float (*opc_pool_float_fold)(const float *x, const opc_pool_taps *t, uint32_t step);
/* prepare and invoke of float32: a clamp, no quantization. */
opc_status opc_pool_float_prepare(opc_node *node);
opc_status opc_pool_float_invoke(opc_node *node, opc_pool_float_fold fold);

/* round(sum / count), halves away from zero. */
int32_t opc_pool_mean(int32_t sum, uint32_t count);
/* Of any integer type; means of raw values, which equal quantization makes exact. */
void opc_pool_average(const opc_pool *p, const opc_pool_taps *t, uint32_t at);
void opc_pool_largest(const opc_pool *p, const opc_pool_taps *t, uint32_t at);

#endif
