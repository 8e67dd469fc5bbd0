//! Special and Extended Special, which no bench has: conversations as AN3155, sections 3.14 and
//! 3.15, and ST's Open Bootloader have them, byte by byte.

use std::time::Duration;

use flashwire_client::stm32::{Bootloader, Error, Options};
use flashwire_link::Replay;

/// A loader that lists both commands, and then says what it is told to.
fn loader(rest: &str) -> Bootloader {
    let mut at_us = 0;
    let mut text = String::from(
        r#"{"at_us":0,"event":"open","version":1,"port":"bench","settings":"115200 8E1"}"#,
    );
    let opening = "discard;> 7f;< 79;> 00ff;< 79;< 05310001025051 79;".replace(' ', "");
    let opening = opening.replace("<", "< ").replace(">", "> ");
    for step in (opening + rest).split(';').filter(|step| !step.is_empty()) {
        at_us += 1000;
        let event = match step.split_once(' ') {
            Some((">", bytes)) => format!(r#""event":"send","bytes":"{bytes}""#),
            Some((_, bytes)) => format!(r#""event":"recv","bytes":"{bytes}""#),
            None => r#""event":"discard""#.to_owned(),
        };
        text.push_str(&format!("\n{{\"at_us\":{at_us},{event}}}"));
    }
    let mut loader = Bootloader::new(
        Box::new(Replay::new(&text).unwrap()),
        Options {
            retries: 0,
            ..Options::default()
        },
    );
    loader.synchronise().unwrap();
    loader.get().unwrap();
    loader
}

const MOST: Duration = Duration::from_millis(100);

#[test]
fn a_special_command_is_said_as_the_document_has_it() {
    // Code 0x1234: 0x12 ^ 0x34 = 0x26. Two bytes AA 55: 0x00 ^ 0x02 ^ 0xAA ^ 0x55 = 0xFD.
    let mut loader =
        loader("> 50af;< 79;> 123426;< 79;> 0002aa55fd;< 79;< 0003010203;< 000100;< 79");
    let answer = loader.special(0x1234, &[0xAA, 0x55], MOST).unwrap();
    assert_eq!(answer.data, [1, 2, 3]);
    assert_eq!(answer.status, [0]);
}

#[test]
fn an_extended_special_command_has_two_payloads() {
    // No parameters: 00 00 and its sum 00. One byte 7E: 0x00 ^ 0x01 ^ 0x7E = 0x7F.
    let mut loader =
        loader("> 51ae;< 79;> 000101;< 79;> 000000;< 79;> 00017e7f;< 79;< 0001ff;< 79");
    let status = loader.extended_special(1, &[], &[0x7E], MOST).unwrap();
    assert_eq!(status, [0xFF]);
}

#[test]
fn a_code_that_is_not_known_is_refused() {
    let mut loader = loader("> 50af;< 79;> 000909;< 1f");
    let error = loader.special(9, &[], MOST).unwrap_err();
    assert_eq!(error.to_string(), "the loader refused Special (0x50), code");
}

#[test]
fn an_answer_of_impossible_length_is_not_waited_for() {
    let mut loader = loader("> 50af;< 79;> 000101;< 79;> 000000;< 79;< ffff");
    let error = loader.special(1, &[], MOST).unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}

#[test]
fn payloads_that_do_not_fit_are_refused_before_anything_is_sent() {
    let mut loader = loader("");
    let error = loader.special(1, &[0; 129], MOST).unwrap_err();
    assert!(
        matches!(error, Error::BlockSize { bytes: 129, .. }),
        "{error}"
    );
    let error = loader
        .extended_special(1, &[], &[0; 1025], MOST)
        .unwrap_err();
    assert!(
        matches!(error, Error::BlockSize { bytes: 1025, .. }),
        "{error}"
    );
}
