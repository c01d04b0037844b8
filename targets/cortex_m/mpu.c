/* Memory protection that turns silent damage into a fault: stores to flash (RAM on the MPS boards, so that a store
 * through NULL would hit the vectors) and, on v7-M, a guard below the process stack (v8-M has PSPLIM).
 * Regions are multiples of 1 KiB: QEMU takes a slow path for every access to a page that a region cuts. */
#include "machine.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

extern const uint8_t opc_flash_start[], opc_flash_bytes[], opc_guard_start[];

#define MPU_CTRL REGISTER(0xE000ED94)
#define MPU_RNR REGISTER(0xE000ED98)
#define MPU_RBAR REGISTER(0xE000ED9C)
#define MPU_RASR REGISTER(0xE000EDA0) /* PMSAv7 */
#define MPU_RLAR REGISTER(0xE000EDA0) /* PMSAv8 */
#define MPU_MAIR0 REGISTER(0xE000EDC0)

#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)

/* PMSAv8 cannot forbid reads to privileged code: AP = 2 is read-only, privileged. */
static void protect_regions(void) {
    const uint32_t base = (uint32_t)(uintptr_t)opc_flash_start;
    const uint32_t bytes = (uint32_t)(uintptr_t)opc_flash_bytes;
    MPU_MAIR0 = 0x44; /* normal memory, not cacheable */
    MPU_RNR = 0;
    MPU_RBAR = base | (2u << 1);
    MPU_RLAR = ((base + bytes - 32u) & ~31u) | 1u;
}

#elif __ARM_ARCH == 7

/* PMSAv7: `bytes` is a power of two, at least 32, and divides `base`. Access 6 is read-only, 0 none. */
static void protect(uint32_t region, uint32_t base, uint32_t bytes, uint32_t access, uint32_t never_execute) {
    const uint32_t log2 = 31u - (uint32_t)__builtin_clz(bytes);
    MPU_RNR = region;
    MPU_RBAR = base;
    MPU_RASR = (never_execute << 28) | (access << 24) | (8u << 16) | ((log2 - 1u) << 1) | 1u;
}

static void protect_regions(void) {
    protect(0, (uint32_t)(uintptr_t)opc_flash_start, (uint32_t)(uintptr_t)opc_flash_bytes, 6, 0);
    protect(1, (uint32_t)(uintptr_t)opc_guard_start, 1024, 0, 1);
}

#endif

void mpu_protect(void) {
#if __ARM_ARCH >= 7
    protect_regions();
    __asm volatile("dsb" ::: "memory");
    MPU_CTRL = 5; /* on, with the default map for privileged code outside the regions */
    __asm volatile("dsb\n isb" ::: "memory");
#endif
}
