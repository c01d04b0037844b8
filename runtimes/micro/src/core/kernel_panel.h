/* Four output channels at a time against one run of int8 inputs: the inner loop of CONV_2D. */
#ifndef OPCONFORM_KERNEL_PANEL_H
#define OPCONFORM_KERNEL_PANEL_H

#include "kernel_scale.h"
#include "kernel_window.h"

enum { OPC_LANES = 4 };

/* Weights and scaling of `lanes` (1 ... 4) neighbouring channels; what the lanes beyond compute is thrown away. */
typedef struct opc_panel {
    opc_lane lane[OPC_LANES];
    const void *weights; /* in the order that this build's loop reads */
    uint32_t next;       /* bytes between the rows of two channels, where it reads rows */
    uint32_t lanes;
    bool quick; /* all four lanes count and have quick factors */
} opc_panel;

/* What all panels of a node have in common. */
typedef struct opc_panel_set {
    uint32_t taps;         /* weights of one output channel, > 0 */
    uint32_t channel_step; /* in the weight tensor: from one channel to the next, and from one tap to the next */
    uint32_t tap_step;
    uint32_t in_step; /* from the inputs of one position to the next, and from its outputs */
    uint32_t out_step;
    int32_t zero_x;
    int32_t zero_y;
} opc_panel_set;

/* Bytes of memory that the weights of one panel need; 0 when they are read where they are. A multiple of 8. */
uint32_t opc_panel_bytes(uint32_t taps, uint32_t tap_step);
/* Inputs that are read for `taps` weights: those beyond are multiplied by 0. */
uint32_t opc_panel_reads(uint32_t taps);
/* Fill p->weights (in `room`), p->next and the sums of the weights of each lane; w is the first lane's first weight. */
void opc_panel_pack(const opc_panel_set *s, opc_panel *p, const int8_t *w, void *room, int32_t *sums);
/* The scaled sums of `count` positions, clamped to int8: y[0 ... lanes) from x[0 ... taps), and so on in steps. */
void opc_panel_run(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int8_t *y, uint32_t count);

#endif
