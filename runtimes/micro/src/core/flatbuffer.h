/* Bounds-checked reading of a flatbuffer in place. Every function may be called with any position: nothing outside the
 * file is ever read. A position is an offset from the start of the file, and 0 stands for what is absent. Whatever is
 * damaged reads as absent and is remembered in it->damaged, so that one question after many reads is enough. */
#ifndef OPCONFORM_FLATBUFFER_H
#define OPCONFORM_FLATBUFFER_H

#include "opconform_micro.h"

/* log2 of the bytes of a vector's elements */
enum { FB_BYTES = 0, FB_WORDS = 2, FB_LONGS = 3 };

/* Unaligned little-endian read from memory that is known to be inside the file. */
uint32_t fb_load32(const uint8_t *p);

/* The count of a vector, then its elements; both are 4-aligned. */
typedef const uint32_t *fb_vector;

/* The vector without elements. */
extern const uint32_t fb_empty[1];

/* Position that the offset at `at` points to. Null offsets are damage. */
uint32_t fb_follow(opc_interpreter *it, uint32_t at);
/* The same of an element of a vector of tables. */
uint32_t fb_element(opc_interpreter *it, const uint32_t *p);
/* Position of field `slot` of `width` bytes (1, 4 or 8) of a table. */
uint32_t fb_field(opc_interpreter *it, uint32_t table, uint32_t slot, uint32_t width);
/* A scalar field of 1 or 4 bytes; 0 when absent. */
uint32_t fb_number(opc_interpreter *it, uint32_t table, uint32_t slot, uint32_t width);
/* The table a field refers to. */
uint32_t fb_table(opc_interpreter *it, uint32_t table, uint32_t slot);
/* The vector a field refers to, its elements wholly inside the file. */
fb_vector fb_list(opc_interpreter *it, uint32_t table, uint32_t slot, uint32_t log2_width);

#endif
