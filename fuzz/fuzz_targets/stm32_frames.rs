//! The frames of the STM32 boot loader, read by either end: whatever comes is read or refused, and
//! what is read is what an encoder would have sent.

#![no_main]

use flashwire_protocol::stm32::{
    Command, EraseRequest, Frame, GetAnswer, GetIdAnswer, decode_byte_count, decode_erase,
    decode_extended_erase, decode_word, decode_write,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(word) = decode_word(bytes) {
        assert_eq!(Frame::word(word).as_bytes(), bytes);
    }
    if let Ok(field) = bytes.try_into()
        && let Ok(count) = decode_byte_count(field)
    {
        assert_eq!(Frame::byte_count(count).unwrap().as_bytes(), bytes);
    }
    if let Ok(data) = decode_write(bytes) {
        assert_eq!(Frame::data(data).unwrap().as_bytes(), bytes);
    }
    match decode_erase(bytes) {
        Ok(EraseRequest::Pages(pages)) => {
            assert_eq!(Frame::erase(pages).unwrap().as_bytes(), bytes);
        }
        Ok(EraseRequest::Special(_)) => assert_eq!(Frame::global_erase().as_bytes(), bytes),
        Err(_) => {}
    }
    match decode_extended_erase(bytes) {
        Ok(EraseRequest::Pages(list)) => {
            let pages: Vec<u16> = list
                .chunks_exact(2)
                .map(|page| u16::from_be_bytes([page[0], page[1]]))
                .collect();
            // Longer lists are valid, only not built here.
            if let Some(frame) = Frame::extended_erase(&pages) {
                assert_eq!(frame.as_bytes(), bytes);
            }
        }
        Ok(EraseRequest::Special(erase)) => {
            assert_eq!(Frame::special_erase(erase).as_bytes(), bytes);
        }
        Err(_) => {}
    }
    if let Ok(answer) = GetAnswer::decode(bytes) {
        assert!(answer.commands.codes().all(|code| bytes.contains(&code)));
    }
    if let Ok(answer) = GetIdAnswer::decode(bytes) {
        assert_eq!(answer.as_bytes(), bytes);
        std::hint::black_box(answer.product_id());
    }
    if let [code, ..] = *bytes
        && let Ok(command) = Command::try_from(code)
    {
        assert_eq!(command.code(), code);
    }
});
