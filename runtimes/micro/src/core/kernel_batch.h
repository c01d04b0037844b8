/* BATCH_TO_SPACE_ND and SPACE_TO_BATCH_ND: one walk over the places of a block, in one direction or the other. */
#ifndef OPCONFORM_KERNEL_BATCH_H
#define OPCONFORM_KERNEL_BATCH_H

#include "kernel_move.h"

/* blocked [prod(block) * N, X..., rest...] and plain [N, X * block - margins..., rest...]. Margins are the crops of
 * one op and the pads of the other. Checks, and moves when the output has memory. */
opc_status opc_batch(opc_node *node, bool to_space);

#endif
