/* DEPTH_TO_SPACE and SPACE_TO_DEPTH: one move, in one direction or the other. */
#ifndef OPCONFORM_KERNEL_DEPTH_H
#define OPCONFORM_KERNEL_DEPTH_H

#include "kernel_move.h"

/* deep [N, H, W, b * b * C] and wide [N, H * b, W * b, C]; checks, and moves when the output has memory. */
opc_status opc_depth(opc_node *node, bool to_space);

#endif
