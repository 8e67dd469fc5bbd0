//! What runs between a reset and `main`.
//!
//! The vector table has two words an interrupt (DS40002061B, table 12-6). Two interrupts are used,
//! the others are never enabled; what they leave free holds this code, which avr-libc's start-up
//! would take beside its table.

use core::arch::global_asm;

global_asm!(
    ".section .vectors, \"ax\", @progbits",
    ".global __vectors",
    "__vectors:",
    // LLVM keeps zero in r1. A boot loader may have left anything in the stack pointer.
    "    clr  r1",
    "    out  0x3f, r1",            // SREG: no interrupts
    "    ldi  r28, 0xff",
    "    ldi  r29, 0x08",
    "    out  0x3e, r29",           // SPH
    "    out  0x3d, r28",           // SPL: 0x08FF, the last byte of the RAM
    // Constants and initial values: from flash, where they lie after the code. The compiler asks
    // for the two by name wherever there is something to copy or to clear.
    ".global __do_copy_data, __do_clear_bss",
    "__do_copy_data:",
    "__do_clear_bss:",
    "    ldi  r30, lo8(__data_load_start)",
    "    ldi  r31, hi8(__data_load_start)",
    "    ldi  r26, lo8(__data_start)",
    "    ldi  r27, hi8(__data_start)",
    "    ldi  r17, hi8(__data_end)",
    "    rjmp 2f",
    "1:  lpm  r0, Z+",
    "    st   X+, r0",
    "2:  cpi  r26, lo8(__data_end)",
    "    cpc  r27, r17",
    "    brne 1b",
    // Zeros follow.
    "    ldi  r17, hi8(__bss_end)",
    "    rjmp 4f",
    "3:  st   X+, r1",
    "4:  cpi  r26, lo8(__bss_end)",
    "    cpc  r27, r17",
    "    brne 3b",
    "    rjmp {main}",
    // 19, USART Rx complete. Nothing follows in the table, so it is handled here: at 2 Mbaud a byte
    // comes every 80 cycles, and this takes 35 of them, with what the chip does before and after.
    ".org 0x48",
    "    push r24",
    "    in   r24, 0x3f",
    "    out  0x1e, r24",           // GPIOR0
    "    push r30",
    "    push r31",
    "    in   r30, 0x2a",           // GPIOR1
    "    in   r31, 0x2b",           // GPIOR2
    "    lds  r24, 0xc6",           // UDR0
    "    st   Z+, r24",
    "    cpi  r30, lo8(received_bytes + {size})",
    "    brne 5f",
    "    cpi  r31, hi8(received_bytes + {size})",
    "    brne 5f",
    "    ldi  r30, lo8(received_bytes)",
    "    ldi  r31, hi8(received_bytes)",
    "5:  out  0x2b, r31",
    "    out  0x2a, r30",
    "    pop  r31",
    "    pop  r30",
    "    in   r24, 0x1e",
    "    out  0x3f, r24",
    "    pop  r24",
    "    reti",
    // The ring that it fills.
    ".section .bss.received, \"aw\", @nobits",
    ".global received_bytes",
    "received_bytes:",
    "    .space {size}",
    main = sym crate::main,
    size = const crate::uart::RECEIVED_BYTES,
);
