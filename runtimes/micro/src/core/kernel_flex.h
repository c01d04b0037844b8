/* The options of a custom operator: a FlexBuffer map from names to numbers. */
#ifndef OPCONFORM_KERNEL_FLEX_H
#define OPCONFORM_KERNEL_FLEX_H

#include "kernel_util.h"

/* Where the map's entries lie; positions are in bytes from the start of the buffer. */
typedef struct opc_flex {
    const uint8_t *bytes;
    uint32_t length;
    uint32_t values;
    uint32_t keys;
    uint32_t count;
    uint32_t width; /* of a value */
    uint32_t key_width;
} opc_flex;

/* The map at the root of `length` bytes; OPC_INVALID_MODEL when there is none. */
opc_status opc_flex_open(opc_node *node, const uint8_t *bytes, uint32_t length, opc_flex *map);
/* The number of that name, which ends with a zero byte and has `length` bytes with it. False, with *number as it was,
 * when there is none. */
bool opc_flex_number(const opc_flex *map, const char *name, uint32_t length, float *number);
#define OPC_FLEX_NUMBER(map, name, number) opc_flex_number((map), (name), sizeof(name), (number))

#endif
