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
    uint32_t lanes;
    bool quick; /* all four lanes count and have quick factors */
} opc_panel;

/* What all panels of a node have in common. */
typedef struct opc_panel_set {
    uint32_t run; /* inputs that lie side by side; a window is `runs` of them, both > 0 */
    uint32_t runs;
    uint32_t run_step;     /* in the inputs: from one run to the next */
    uint32_t channel_step; /* in the weight tensor: from one channel to the next, and from one tap to the next */
    uint32_t tap_step;
    uint32_t in_step; /* from the inputs of one position to the next, and from its outputs */
    uint32_t out_step;
    int32_t zero_x;
    int32_t zero_y;
    bool narrow; /* memory is short: the loop that needs least of it */
} opc_panel_set;

/* Bytes of memory that the weights of one panel need; 0 when they are read where they are. A multiple of 8. Needs run,
 * runs and narrow. */
uint32_t opc_panel_bytes(const opc_panel_set *s);
/* Inputs that are read of a run: those beyond its end are multiplied by 0. */
uint32_t opc_panel_reads(const opc_panel_set *s);
/* Fill p->weights (in `room`); w is the first lane's first weight. offset[k] is what has to be added to
 * the k-th sum besides the bias: the input's zero point times the weights, and more that the loop adds. */
void opc_panel_pack(const opc_panel_set *s, opc_panel *p, const int8_t *w, void *room, int32_t *offset);
/* The scaled sums of `count` positions, clamped to int8, by `panels` panels: those of the first position's first panel
 * are y[0 ... lanes), those of the next panel follow, those of the next position are out_step further. */
void opc_panel_run(const opc_panel_set *s, const opc_panel *p, uint32_t panels, const int8_t *x, int8_t *y,
                   uint32_t count);

#endif
