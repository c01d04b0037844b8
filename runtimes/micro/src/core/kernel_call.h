/* Handing values to subgraphs and back: WHILE and IF. */
#ifndef OPCONFORM_KERNEL_CALL_H
#define OPCONFORM_KERNEL_CALL_H

#include "kernel_util.h"

/* A tensor of the node and one of a subgraph must have one dtype and one shape, which is known. `found`: both exist. */
opc_status opc_call_match(opc_node *node, bool found, const opc_tensor *a, const opc_tensor *b);
/* Copy a value, unless both tensors lie in one place. */
void opc_call_copy(const opc_tensor *to, const opc_tensor *from);

#endif
