//! What the compiler calls to move memory. Its own versions are written for processors with wide
//! registers and take 480 bytes here.

use core::arch::global_asm;

global_asm!(
    ".section .text.memcpy, \"ax\", @progbits",
    ".global memcpy",
    // r25:r24 destination, which is returned; r23:r22 source; r21:r20 count.
    "memcpy:",
    "    movw r26, r24",
    "    movw r30, r22",
    "    rjmp 2f",
    "1:  ld   r0, Z+",
    "    st   X+, r0",
    "2:  subi r20, 1",
    "    sbci r21, 0",
    "    brcc 1b",
    "    ret",
    ".section .text.memset, \"ax\", @progbits",
    ".global memset",
    // r25:r24 destination, which is returned; r22 value; r21:r20 count.
    "memset:",
    "    movw r26, r24",
    "    rjmp 4f",
    "3:  st   X+, r22",
    "4:  subi r20, 1",
    "    sbci r21, 0",
    "    brcc 3b",
    "    ret",
);
