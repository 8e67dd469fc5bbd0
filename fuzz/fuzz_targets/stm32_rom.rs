//! The simulated STM32 ROM loaders: whatever bytes arrive, with whatever pauses between them, no
//! chip panics, and time goes on.

#![no_main]

use std::time::Duration;

use flashwire_sim::Bench;
use flashwire_sim::stm32::PARTS;
use libfuzzer_sys::fuzz_target;

/// A byte of input that is followed by a pause instead of being sent.
const PAUSE: u8 = 0xA5;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, bytes)) = bytes.split_first() else {
        return;
    };
    let part = &PARTS[usize::from(choice) % PARTS.len()];
    let mut bench = Bench::open(part.name).unwrap();
    let flash_bytes = bench.flash().len();
    let wire = bench.wire_mut();
    // Without it nothing else is heard.
    wire.push(&[0x7F]);
    for piece in bytes.split_inclusive(|byte| *byte == PAUSE) {
        match piece {
            [sent @ .., PAUSE] => {
                wire.push(sent);
                wire.advance(wire.now() + Duration::from_millis(100));
            }
            sent => wire.push(sent),
        }
    }
    let before = wire.now();
    wire.settle(Duration::from_secs(100));
    assert!(wire.now() >= before);
    let mut answer = [0; 64];
    while wire.pop(&mut answer) > 0 {}
    assert_eq!(bench.flash().len(), flash_bytes);
    std::hint::black_box(bench.complaints());
});
