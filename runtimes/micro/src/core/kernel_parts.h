/* Tensors that lie side by side along an axis of a whole: joined into it, or cut out of it. */
#ifndef OPCONFORM_KERNEL_PARTS_H
#define OPCONFORM_KERNEL_PARTS_H

#include "kernel_move.h"

typedef struct opc_parts {
    opc_tensor whole;
    uint32_t axis; /* of the whole */
    uint32_t each; /* parts of this size along the axis only; 0: any */
    bool flat;     /* parts lack the axis: each is one index of it */
    bool join;     /* parts are the inputs and the whole is output 0; else parts are the outputs */
    bool mixed;    /* parts may be quantized otherwise than the whole */
} opc_parts;

/* Part i and how many of the axis are its own; its shape and type are checked. */
opc_status opc_part(opc_node *node, const opc_parts *p, uint32_t i, opc_tensor *part, uint32_t *size);
/* Bytes from one index of the whole's axis to the next, and how often the axis is run through. */
uint32_t opc_parts_step(const opc_parts *p);
uint32_t opc_parts_turns(const opc_parts *p);
/* CONCATENATION: the output as the whole, the axis in option 0, no activation in option 1. */
opc_status opc_join_fetch(opc_node *node, opc_parts *p);
/* SPLIT and SPLIT_V: as many outputs as option 0 says, and the axis, when t is known. */
opc_status opc_split_axis(opc_node *node, opc_parts *p, const opc_tensor *t);
/* All parts fill the whole; moves them when there is memory. */
opc_status opc_parts_run(opc_node *node, const opc_parts *p);

#endif
