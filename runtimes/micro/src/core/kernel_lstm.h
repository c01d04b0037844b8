/* UNIDIRECTIONAL_SEQUENCE_LSTM of the plain cell: all four gates, no peephole, projection or normalization. */
#ifndef OPCONFORM_KERNEL_LSTM_H
#define OPCONFORM_KERNEL_LSTM_H

#include "kernel_fixed.h"
#include "kernel_util.h"

/* The order of the gates' tensors: input, forget, update, output. */
enum { OPC_LSTM_I = 0, OPC_LSTM_F = 1, OPC_LSTM_G = 2, OPC_LSTM_O = 3, OPC_LSTM_GATES = 4 };

/* The dtypes of a cell: of x, h and y; of weights; of biases; of c. */
typedef struct opc_lstm_types {
    uint8_t io;
    uint8_t weights;
    uint8_t bias;
    uint8_t cell;
} opc_lstm_types;

/* The data of all tensors (NULL in prepare unless constant), and a walk over steps and batches. */
typedef struct opc_lstm {
    const void *weights[OPC_LSTM_GATES];   /* [units, depth] */
    const void *recurrent[OPC_LSTM_GATES]; /* [units, units] */
    const void *bias[OPC_LSTM_GATES];      /* [units] */
    const void *x;
    void *h; /* [batches, units], still the output of the step before */
    void *c; /* [batches, units] */
    void *y;
    uint32_t depth;
    uint32_t units;
    uint32_t x_at; /* where this step's row begins in x, in y, and in h and c */
    uint32_t y_at;
    uint32_t state_at;
    uint32_t places; /* steps * batches */
    uint32_t states; /* batches * units */
    uint32_t repeat; /* rows of x in a row that one state sees */
    uint32_t run;
} opc_lstm;

/* Fetch and check everything but quantization, and go to the first row. */
opc_status opc_lstm_start(opc_node *node, opc_lstm *l, opc_lstm_types types);
/* This row of y is complete: it becomes h, and the next row's turn comes. width: bytes of an element of y. */
void opc_lstm_next(opc_lstm *l, uint32_t width);

/* Integer cells, kept by the node: factors of the sums, which have 12 fractional bits, and of what follows. */
typedef struct opc_lstm_integer {
    uint32_t started; /* 0: h has never been written, and must become the zero point */
    opc_multiplier of_x[OPC_LSTM_GATES];
    opc_multiplier of_h[OPC_LSTM_GATES];
    opc_multiplier added; /* update times input gate, to the quantum of c */
    opc_multiplier out;
    int32_t clip;  /* of c, 32768 for none */
    int32_t power; /* the quantum of c is 2^(power - 12) */
    int32_t zero_x;
    int32_t zero_h;
    int32_t lo; /* of y */
    int32_t hi;
} opc_lstm_integer;

/* The weighed sums of a gate's unit over x (with its bias) and over h, both rescaled. */
typedef void opc_lstm_sums(const opc_lstm *l, const opc_lstm_integer *k, uint32_t gate, uint32_t unit, int32_t sums[2]);

opc_status opc_lstm_integer_prepare(opc_node *node, opc_lstm_types types);
opc_status opc_lstm_integer_invoke(opc_node *node, opc_lstm_types types, opc_lstm_sums *sums);

#endif
