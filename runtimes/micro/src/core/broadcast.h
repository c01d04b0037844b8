/* NumPy broadcasting of two or three tensors up to rank OPC_MAX_RANK. */
#ifndef OPCONFORM_BROADCAST_H
#define OPCONFORM_BROADCAST_H

#include "opconform_kernel.h"

#define OPC_BROADCAST_OPERANDS 3

/* Walks the output in row-major order and keeps the element offset of each operand:
 *     opc_walk w;
 *     opc_walk_start(&w, &out, operands, 2);
 *     for (uint32_t i = 0; i < out.elements; i++, opc_walk_next(&w)) y[i] = a[w.offset[0]] + b[w.offset[1]]; */
typedef struct opc_walk {
    uint32_t offset[OPC_BROADCAST_OPERANDS];
    uint32_t stride[OPC_BROADCAST_OPERANDS][OPC_MAX_RANK]; /* 0 along broadcast dimensions */
    uint32_t index[OPC_MAX_RANK];
    uint32_t dims[OPC_MAX_RANK];
    uint32_t rank;
    uint32_t operands;
} opc_walk;

void opc_walk_start(opc_walk *w, const opc_tensor *output, const opc_tensor *operands, uint32_t count);
void opc_walk_next(opc_walk *w);

/* Does the broadcast shape of the operands equal the output's shape? For prepare. */
bool opc_broadcasts(const opc_tensor *output, const opc_tensor *operands, uint32_t count);

#endif
