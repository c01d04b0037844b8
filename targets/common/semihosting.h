/* The few semihosting calls the firmware makes (Arm IHI "Semihosting for AArch32 and AArch64"; RISC-V has the same).
 * The instruction that makes one is the architecture's: semihosting_trap.h. */
#ifndef OPCONFORM_SEMIHOSTING_H
#define OPCONFORM_SEMIHOSTING_H

#include <stdint.h>

#include "semihosting_trap.h"

enum semihosting_call {
    SYS_OPEN = 0x01,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_CLOCK = 0x10,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20
};

static inline uint32_t semihosting(enum semihosting_call call, const void *block) {
    return semihosting_trap((uint32_t)call, block);
}

/* Open QEMU's own standard input (mode 0, "r") or output (mode 4, "w"). */
static inline uint32_t semihosting_open_console(uint32_t mode) {
    static const char name[] = ":tt";
    const uint32_t block[3] = {(uint32_t)(uintptr_t)name, mode, 3};
    return semihosting(SYS_OPEN, block);
}

/* Both return how many bytes were NOT transferred. */
static inline uint32_t semihosting_write(uint32_t handle, const void *data, uint32_t size) {
    const uint32_t block[3] = {handle, (uint32_t)(uintptr_t)data, size};
    return semihosting(SYS_WRITE, block);
}

static inline uint32_t semihosting_read(uint32_t handle, void *data, uint32_t size) {
    const uint32_t block[3] = {handle, (uint32_t)(uintptr_t)data, size};
    return semihosting(SYS_READ, block);
}

/* QEMU's process ends with this status; SYS_EXIT could not carry one. */
static inline void semihosting_exit(uint32_t status) {
    const uint32_t block[2] = {0x20026u, status};
    for (;;) {
        (void)semihosting(SYS_EXIT_EXTENDED, block);
    }
}

#endif
