//! What the Arduino sketch reads: an argument ends after exactly its digits, or at the first byte
//! that is none.

#![no_main]

use flashwire_protocol::nfd::{ArgumentReader, Fed, Start, digit_value, parse_u32};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = std::hint::black_box(parse_u32(bytes));
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        let Start::Argument(command) = Start::of(byte) else {
            continue;
        };
        let mut reader = ArgumentReader::new(command);
        let mut digits = 0;
        for byte in bytes.by_ref() {
            match reader.feed(byte) {
                Fed::Bad => {
                    assert_eq!(digit_value(byte), None);
                    break;
                }
                Fed::More | Fed::Byte(_) => digits += 1,
                Fed::Last(_) => {
                    assert_eq!(digits + 1, command.digits());
                    break;
                }
            }
            assert!(digits < command.digits());
        }
    }
});
