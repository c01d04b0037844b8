/* Bounds-checked reading of a flatbuffer in place. Every function may be called with any position: nothing outside the
 * file is ever read. A position is an offset from the start of the file. */
#ifndef OPCONFORM_FLATBUFFER_H
#define OPCONFORM_FLATBUFFER_H

#include <stdbool.h>
#include <stdint.h>

#define FB_ABSENT UINT32_C(0)
#define FB_BROKEN UINT32_C(0xFFFFFFFF)

typedef struct fb_file {
    const uint8_t *bytes;
    uint32_t size;
} fb_file;

typedef struct fb_vector {
    uint32_t at; /* first element, FB_ABSENT or FB_BROKEN */
    uint32_t count;
} fb_vector;

/* Unaligned little-endian reads from memory that is known to be inside the file. */
uint32_t fb_load32(const uint8_t *p);
uint64_t fb_load64(const uint8_t *p);

/* 32-bit word at `at`; 0 outside the file. */
uint32_t fb_word(const fb_file *f, uint32_t at);
/* Position that the offset at `at` points to; FB_BROKEN when it leaves the file or is null. */
uint32_t fb_follow(const fb_file *f, uint32_t at);
/* A table whose header has been checked: cheap to read several fields of. */
typedef struct fb_handle {
    uint32_t table;
    uint32_t vtable; /* FB_BROKEN when the table is damaged */
    uint32_t fields; /* bytes of the vtable */
    uint32_t size;   /* bytes of the table, inside the file */
} fb_handle;

fb_handle fb_resolve(const fb_file *f, uint32_t table);
/* Like fb_field. */
uint32_t fb_at(const fb_file *f, const fb_handle *h, uint32_t slot, uint32_t width);

/* Position of field `slot` of `width` bytes of a table; FB_ABSENT, or FB_BROKEN when the table is damaged. */
uint32_t fb_field(const fb_file *f, uint32_t table, uint32_t slot, uint32_t width);
/* Scalar fields with their default; the default, too, when damaged (the verifier has refused such a file). */
uint32_t fb_u8(const fb_file *f, uint32_t table, uint32_t slot, uint32_t fallback);
uint32_t fb_u32(const fb_file *f, uint32_t table, uint32_t slot, uint32_t fallback);
/* The table a field refers to. */
uint32_t fb_table(const fb_file *f, uint32_t table, uint32_t slot);
/* The vector a field refers to, its elements wholly inside the file and aligned to `align` bytes. */
fb_vector fb_vec_at(const fb_file *f, uint32_t field, uint32_t width, uint32_t align);
fb_vector fb_vec(const fb_file *f, uint32_t table, uint32_t slot, uint32_t width, uint32_t align);

/* Is the table's own header sound: vtable inside the file, every field inside the table? */
bool fb_table_ok(const fb_file *f, uint32_t table);

#endif
