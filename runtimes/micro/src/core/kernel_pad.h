/* PAD, PADV2 and MIRROR_PAD: an input inside of a larger output. */
#ifndef OPCONFORM_KERNEL_PAD_H
#define OPCONFORM_KERNEL_PAD_H

#include "kernel_move.h"

/* Input 0, paddings in input 1 and the output; where the input begins in the output, when the paddings are known. */
opc_status opc_pad_fetch(opc_node *node, uint32_t inputs, opc_tensor *in, opc_tensor *y, uint32_t *start);

#endif
