/* Running sums along one axis. */
#ifndef OPCONFORM_KERNEL_SCAN_H
#define OPCONFORM_KERNEL_SCAN_H

#include "kernel_util.h"

/* A walk of all elements that takes lines one after the other, each from the end that the sum begins at. */
typedef struct opc_scan {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t at;   /* position now */
    uint32_t step; /* to the next one of the line; offsets wrap */
    uint32_t left; /* positions of the line behind this one */
    uint32_t length;
    uint32_t inner;
    uint32_t column;
    bool exclusive;
} opc_scan;

/* Fetch, check and go to the first position. */
opc_status opc_scan_start(opc_node *node, opc_scan *s);
opc_status opc_scan_prepare(opc_node *node);
/* Go on; true when a new line begins. */
bool opc_scan_next(opc_scan *s);

#endif
