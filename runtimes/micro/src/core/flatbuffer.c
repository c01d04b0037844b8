#include "flatbuffer.h"

#include <stddef.h>

const uint32_t fb_empty[1] = {0};

uint32_t fb_load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t load16(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

/* Are `width` bytes at a multiple of `align` inside the file? Nothing wraps: width is below 2^17. */
static bool inside(const opc_interpreter *it, uint32_t at, uint32_t width, uint32_t align) {
    return at <= it->file_bytes && width <= it->file_bytes - at && (at & (align - 1)) == 0;
}

static uint32_t damaged(opc_interpreter *it) {
    it->damaged |= 1U;
    return 0;
}

uint32_t fb_follow(opc_interpreter *it, uint32_t at) {
    if (!inside(it, at, 4, 4)) {
        return damaged(it);
    }
    const uint32_t offset = fb_load32(it->file + at);
    const uint32_t to = at + offset; /* if it wraps, offset is larger than what is left of the file */
    return offset != 0 && offset <= it->file_bytes - at && inside(it, to, 4, 4) ? to : damaged(it);
}

uint32_t fb_element(opc_interpreter *it, const uint32_t *p) {
    return fb_follow(it, (uint32_t)((const uint8_t *)p - it->file));
}

uint32_t fb_field(opc_interpreter *it, uint32_t table, uint32_t slot, uint32_t width) {
    if (!inside(it, table, 4, 4)) {
        return damaged(it);
    }
    const uint32_t vtable = table - fb_load32(it->file + table); /* modulo 2^32: the offset is signed */
    if (!inside(it, vtable, 4, 2)) {
        return damaged(it);
    }
    const uint8_t *v = it->file + vtable;
    const uint32_t fields = load16(v);
    const uint32_t size = load16(v + 2);
    if (!inside(it, vtable, fields, 2) || !inside(it, table, size, 4)) {
        return damaged(it);
    }
    const uint32_t offset = 6 + 2 * slot <= fields ? load16(v + 4 + 2 * slot) : 0;
    if (offset == 0) {
        return 0;
    }
    return offset + width <= size && (offset & (width - 1) & 3U) == 0 ? table + offset : damaged(it);
}

uint32_t fb_number(opc_interpreter *it, uint32_t table, uint32_t slot, uint32_t width) {
    const uint32_t at = fb_field(it, table, slot, width);
    if (at == 0) {
        return 0;
    }
    return width == 1 ? it->file[at] : fb_load32(it->file + at);
}

uint32_t fb_table(opc_interpreter *it, uint32_t table, uint32_t slot) {
    const uint32_t at = fb_field(it, table, slot, 4);
    return at == 0 ? 0 : fb_follow(it, at);
}

fb_vector fb_list(opc_interpreter *it, uint32_t table, uint32_t slot, uint32_t log2_width) {
    const uint32_t at = fb_table(it, table, slot);
    if (at == 0) {
        return fb_empty;
    }
    /* Aligned: fb_follow gives multiples of 4, and the file is 16-aligned. */
    fb_vector v = (fb_vector)(const void *)(it->file + at);
    if (*v > (it->file_bytes - at - 4) >> log2_width) {
        (void)damaged(it);
        return fb_empty;
    }
    return v;
}
