//! Computes for ever: check sums, products, quotients, a sieve and a sort, on 72 MHz. What the
//! emulator's speed is measured with.

#![no_std]
#![no_main]

use core::hint::black_box;

use guests::{Vectors, say, set_up_serial, use_crystal};

#[used]
#[unsafe(link_section = ".vectors")]
static VECTORS: Vectors = Vectors::new(reset);

#[unsafe(no_mangle)]
extern "C" fn reset() -> ! {
    use_crystal();
    set_up_serial(72_000_000);
    let mut block = [0_u8; 1024];
    let mut seed = 1_u32;
    loop {
        for byte in &mut block {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (seed >> 24) as u8;
        }
        let sum = crc(black_box(&block));
        let primes = sieve(&mut block);
        sort(&mut block);
        let wide = u64::from(sum) * u64::from(primes);
        let quotient = sum / (primes + 1);
        seed ^= (wide >> 32) as u32 ^ quotient;
        if black_box(seed) == 0 {
            say("zero");
        }
    }
}

/// CRC-32 of ISO-HDLC, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let mut value = u32::MAX;
    for &byte in bytes {
        value ^= u32::from(byte);
        for _ in 0..8 {
            let low = value & 1;
            value = value >> 1 ^ if low != 0 { 0xedb8_8320 } else { 0 };
        }
    }
    !value
}

/// How many primes there are below the length.
fn sieve(flags: &mut [u8]) -> u32 {
    flags.fill(1);
    let mut count = 0;
    for number in 2..flags.len() {
        if flags[number] == 0 {
            continue;
        }
        count += 1;
        let mut multiple = 2 * number;
        while multiple < flags.len() {
            flags[multiple] = 0;
            multiple += number;
        }
    }
    count
}

/// By insertion, a part of it: it is quadratic.
fn sort(bytes: &mut [u8]) {
    for end in 1..bytes.len().min(64) {
        let mut place = end;
        while place > 0 && bytes[place - 1] > bytes[place] {
            bytes.swap(place - 1, place);
            place -= 1;
        }
    }
}
