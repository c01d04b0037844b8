/* Which loops of the int8 convolutions this build has; all give the same bits. OPC_PORTABLE leaves only C. */
#ifndef OPCONFORM_KERNEL_SIMD_H
#define OPCONFORM_KERNEL_SIMD_H

#if defined(__ARM_FEATURE_MVE) && !defined(OPC_PORTABLE)
#define OPC_MVE 1 /* Helium: sixteen products an instruction (Cortex-M55) */
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(OPC_PORTABLE)
#define OPC_LONG 1 /* 32 x 32 + 64 bits: two products an instruction (Cortex-M3, M4, M7, M33) */
#elif defined(__ARM_ARCH_6M__) && !defined(OPC_PORTABLE)
#define OPC_SMALL 1 /* eight registers: sums in the other ones (Cortex-M0) */
#endif

/* Inner loops pay for a call where the compiler is told to save space. */
#if defined(__GNUC__)
#define OPC_INLINE static inline __attribute__((always_inline))
#define OPC_APART __attribute__((noinline))
#else
#define OPC_INLINE static inline
#define OPC_APART
#endif

/* Nearest value of [-128, 127]. */
#if defined(__ARM_FEATURE_SAT) && !defined(OPC_PORTABLE)
#define OPC_SATURATE_8(out, value) __asm__("ssat %0, #8, %1" : "=r"(out) : "r"(value))
#else
#define OPC_SATURATE_8(out, value) ((out) = opc_clamp((value), -128, 127))
#endif

#endif
