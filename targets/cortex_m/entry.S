/* Vectors, reset, the way back from a fault, and the marks that the meter plugin watches.
 * One file for all cores: v6-M instructions only, unless the core is known to have more. */
    .syntax unified
    .thumb

    .section .vectors, "a", %progbits
    .word   opc_main_stack_top
    .word   board_reset
    .rept   6                       /* NMI, HardFault, MemManage, BusFault, UsageFault, SecureFault */
    .word   board_fault_entry
    .endr
    .word   0, 0, 0
    .word   board_fault_entry         /* SVCall */
    .word   board_fault_entry         /* DebugMonitor: a stray bkpt */
    .word   0
    .word   board_fault_entry         /* PendSV */
    .word   board_tick_entry          /* SysTick */

.macro function name
    .section .text.\name, "ax", %progbits
    .balign 8                       /* a mark must not straddle a translation page of QEMU */
    .global \name
    .type   \name, %function
    .thumb_func
\name:
.endm

function board_reset
    bl      platform_init
    ldr     r0, =opc_task_stack_top
    msr     psp, r0
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
    ldr     r0, =opc_task_stack_bottom
    msr     psplim, r0
    ldr     r0, =opc_main_stack_bottom
    msr     msplim, r0
#endif
    movs    r0, #2                  /* Thread mode runs on the process stack from here on */
    msr     control, r0
    isb
    ldr     r0, =board_thread
    bx      r0
    .ltorg
    .size   board_reset, . - board_reset

function board_thread
    cpsie   i                       /* a kernel may have left interrupts off */
    bl      platform_serve
    .size   board_thread, . - board_thread

/* Report on the main stack, which no kernel touches, then return to board_thread with an empty process stack. */
function board_fault_entry
    mov     r1, lr
    movs    r2, #4
    tst     r1, r2
    bne     1f
    mrs     r0, msp
    b       2f
1:  mrs     r0, psp
2:  mrs     r2, ipsr
    bl      platform_fault          /* (frame, exc_return, exception number) */
    ldr     r0, =opc_task_stack_top
    subs    r0, r0, #32
    movs    r1, #0
    str     r1, [r0, #0]
    str     r1, [r0, #4]
    str     r1, [r0, #8]
    str     r1, [r0, #12]
    str     r1, [r0, #16]
    str     r1, [r0, #20]
    ldr     r1, =board_thread
    str     r1, [r0, #24]
    ldr     r1, =0x01000000         /* xPSR: the Thumb bit only */
    str     r1, [r0, #28]
    msr     psp, r0
    ldr     r1, =opc_main_stack_top
    msr     msp, r1
    ldr     r1, =0xFFFFFFFD         /* to Thread mode, process stack, no FP context */
    bx      r1
    .ltorg
    .size   board_fault_entry, . - board_fault_entry

/* Ten times a second. Entry and exit are blocks of one instruction, so that the plugin can leave the handler out. */
function board_tick_entry
    b       1f
1:  push    {r3, lr}
    bl      platform_tick           /* non-zero: the invocation has used its budget */
    pop     {r2, r3}
    mov     lr, r3
    cmp     r0, #0
    beq     2f
    ldr     r0, =board_fault_entry
    bx      r0
2:  b       board_tick_leave
    .ltorg
    .size   board_tick_entry, . - board_tick_entry

    .balign 8
    .global board_tick_leave
    .type   board_tick_leave, %function
    .thumb_func
board_tick_leave:
    bx      lr
    .size   board_tick_leave, . - board_tick_leave

/* opc_invocation is odd while a model is invoked. */
function opc_measure_begin
    ldr     r0, =opc_invocation
    ldr     r1, [r0]
    adds    r1, r1, #1
    str     r1, [r0]
    b       opc_meter_begin
    .ltorg
    .size   opc_measure_begin, . - opc_measure_begin

/* The address of this push tells the plugin the stack pointer at the entry of the invocation. */
    .balign 8
    .global opc_meter_begin
    .type   opc_meter_begin, %function
    .thumb_func
opc_meter_begin:
    push    {lr}
    pop     {pc}
    .size   opc_meter_begin, . - opc_meter_begin

function opc_measure_end
    .global opc_meter_end
    .type   opc_meter_end, %function
    .thumb_func
opc_meter_end:
    b       1f
1:  ldr     r0, =opc_invocation
    ldr     r1, [r0]
    adds    r1, r1, #1
    str     r1, [r0]
    bx      lr
    .ltorg
    .size   opc_measure_end, . - opc_measure_end

/* The addresses of these loads tell the plugin which bytes an invocation may touch. */
function opc_watch_load
    ldrb    r2, [r0]
    ldrb    r2, [r1]
    bx      lr
    .size   opc_watch_load, . - opc_watch_load

function opc_watch_store
    ldrb    r2, [r0]
    ldrb    r2, [r1]
    bx      lr
    .size   opc_watch_store, . - opc_watch_store

function opc_watch_forget
    bx      lr
    .size   opc_watch_forget, . - opc_watch_forget

function opc_meter_answer
    bx      lr
    .size   opc_meter_answer, . - opc_meter_answer
