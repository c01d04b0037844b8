/* What AVERAGE_POOL_2D and MAX_POOL_2D have in common. */
#ifndef OPCONFORM_KERNEL_POOL_H
#define OPCONFORM_KERNEL_POOL_H

#include "kernel_window.h"

typedef struct opc_pool {
    opc_tensor x;
    opc_tensor y;
    opc_window window;
    uint32_t channels;
    uint8_t activation;
} opc_pool;

/* Where the taps of one output position lie: `rows` times `columns` elements of one channel, columns `channels`
 * elements apart, rows `row_step`. rows * columns >= 1, because no window lies wholly in the padding. */
typedef struct opc_pool_taps {
    uint32_t at;
    uint32_t rows;
    uint32_t columns;
    uint32_t row_step;
} opc_pool_taps;

opc_status opc_pool_fetch(opc_node *node, opc_pool *p);
/* The same and, for integers, equal quantization of input and output and the clamp. */
opc_status opc_pool_integer(opc_node *node, opc_pool *p, int32_t *lo, int32_t *hi);
/* The taps of output position `i` of batch, y and x, numbered row by row, without the channel. */
opc_pool_taps opc_pool_position(const opc_pool *p, uint32_t i);

#endif
