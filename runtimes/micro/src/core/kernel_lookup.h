/* EMBEDDING_LOOKUP: rows of a table. */
#ifndef OPCONFORM_KERNEL_LOOKUP_H
#define OPCONFORM_KERNEL_LOOKUP_H

#include "kernel_move.h"

/* in[0] numbers of rows, in[1] the table; shapes and, where they are known, numbers are checked, dtypes of rows not. */
opc_status opc_lookup_fetch(opc_node *node, opc_tensor *in, opc_tensor *y);
/* Copy the rows that are asked for. */
void opc_lookup_copy(const opc_tensor *in, const opc_tensor *y);

#endif
