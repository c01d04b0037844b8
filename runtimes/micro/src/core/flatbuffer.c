#include "flatbuffer.h"

/* Tables of the schema have at most 20 fields; the limit bounds the time to check one. */
#define MAX_VTABLE (4 + 2 * 64)

uint32_t fb_load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t fb_load64(const uint8_t *p) { return (uint64_t)fb_load32(p) | (uint64_t)fb_load32(p + 4) << 32; }

/* at + width cannot wrap: width is far below 2^31 and size is at most 2^31 - 1. */
static bool inside(const fb_file *f, uint32_t at, uint32_t width) { return at <= f->size && width <= f->size - at; }

uint32_t fb_word(const fb_file *f, uint32_t at) { return inside(f, at, 4) ? fb_load32(f->bytes + at) : 0; }

static uint32_t half(const fb_file *f, uint32_t at) {
    return inside(f, at, 2) ? (uint32_t)f->bytes[at] | (uint32_t)f->bytes[at + 1] << 8 : 0;
}

uint32_t fb_follow(const fb_file *f, uint32_t at) {
    const uint32_t offset = fb_word(f, at);
    return offset != 0 && inside(f, at, 4) && inside(f, at + 4, 0) && offset <= f->size - at ? at + offset : FB_BROKEN;
}

/* Position and size of the vtable; FB_BROKEN when it does not lie in the file. */
static uint32_t vtable_of(const fb_file *f, uint32_t table, uint32_t *size) {
    if (!inside(f, table, 4)) {
        return FB_BROKEN;
    }
    const uint32_t vtable = table - fb_word(f, table); /* modulo 2^32: the offset is signed */
    if (!inside(f, vtable, 4)) {
        return FB_BROKEN;
    }
    *size = half(f, vtable);
    return *size >= 4 && *size <= MAX_VTABLE && inside(f, vtable, *size) ? vtable : FB_BROKEN;
}

uint32_t fb_field(const fb_file *f, uint32_t table, uint32_t slot, uint32_t width) {
    uint32_t size = 0;
    const uint32_t vtable = vtable_of(f, table, &size);
    if (vtable == FB_BROKEN) {
        return FB_BROKEN;
    }
    if (6 + 2 * slot > size) {
        return FB_ABSENT;
    }
    const uint32_t offset = half(f, vtable + 4 + 2 * slot);
    if (offset == 0) {
        return FB_ABSENT;
    }
    const bool fits = offset >= 4 && offset + width <= half(f, vtable + 2) && inside(f, table, offset + width);
    return fits ? table + offset : FB_BROKEN;
}

bool fb_table_ok(const fb_file *f, uint32_t table) {
    uint32_t size = 0;
    if (vtable_of(f, table, &size) == FB_BROKEN) {
        return false;
    }
    for (uint32_t slot = 0; 6 + 2 * slot <= size; slot++) {
        if (fb_field(f, table, slot, 1) == FB_BROKEN) {
            return false;
        }
    }
    return true;
}

uint32_t fb_u8(const fb_file *f, uint32_t table, uint32_t slot, uint32_t fallback) {
    const uint32_t at = fb_field(f, table, slot, 1);
    return at == FB_ABSENT || at == FB_BROKEN ? fallback : f->bytes[at];
}

uint32_t fb_u32(const fb_file *f, uint32_t table, uint32_t slot, uint32_t fallback) {
    const uint32_t at = fb_field(f, table, slot, 4);
    return at == FB_ABSENT || at == FB_BROKEN ? fallback : fb_load32(f->bytes + at);
}

uint32_t fb_table(const fb_file *f, uint32_t table, uint32_t slot) {
    const uint32_t at = fb_field(f, table, slot, 4);
    return at == FB_ABSENT || at == FB_BROKEN ? at : fb_follow(f, at);
}

fb_vector fb_vec(const fb_file *f, uint32_t table, uint32_t slot, uint32_t width, uint32_t align) {
    fb_vector v = {fb_table(f, table, slot), 0};
    if (v.at == FB_ABSENT || v.at == FB_BROKEN) {
        return v;
    }
    const uint32_t count = fb_word(f, v.at);
    if (!inside(f, v.at, 4) || count > (f->size - v.at - 4) / width || (v.at + 4) % align != 0) {
        v.at = FB_BROKEN;
        return v;
    }
    v.at += 4;
    v.count = count;
    return v;
}
