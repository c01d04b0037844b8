/* Quantized products of two broadcast tensors of int8, uint8 or int16. */
#ifndef OPCONFORM_KERNEL_PRODUCT_H
#define OPCONFORM_KERNEL_PRODUCT_H

#include "kernel_runs.h"

opc_status opc_scaled_product_prepare(opc_node *node);
opc_status opc_scaled_product(opc_node *node);

#endif
