//! The loader answers what AN3155 says it answers, byte for byte.

use flashwire_sim::ComplaintKind;

use crate::host::{ACK, Host, NACK};

#[test]
fn it_synchronises_and_says_who_it_is() {
    let mut host = Host::open("stm32f103cb");
    host.exchange(&[0x7F], &[ACK]);
    // AN3155, section 3.1: the number of bytes that follow less one, version, codes.
    host.exchange(
        &[0x00, 0xFF],
        &[
            ACK, 11, 0x22, 0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x43, 0x63, 0x73, 0x82, 0x92, ACK,
        ],
    );
    host.exchange(&[0x01, 0xFE], &[ACK, 0x22, 0x00, 0x00, ACK]);
    host.exchange(&[0x02, 0xFD], &[ACK, 0x01, 0x04, 0x10, ACK]);
    host.no_complaints();
}

#[test]
fn what_is_written_is_read_back() {
    let mut host = Host::synchronised("stm32f103cb");
    host.exchange(&[0x31, 0xCE], &[ACK]);
    host.exchange(&[0x08, 0x00, 0x00, 0x00, 0x08], &[ACK]);
    host.exchange(&[0x03, 0xDE, 0xAD, 0xBE, 0xEF, 0x21], &[ACK]);
    host.exchange(&[0x11, 0xEE], &[ACK]);
    host.exchange(&[0x08, 0x00, 0x00, 0x00, 0x08], &[ACK]);
    host.exchange(
        &[0x07, 0xF8],
        &[ACK, 0xDE, 0xAD, 0xBE, 0xEF, 0xFF, 0xFF, 0xFF, 0xFF],
    );
    host.exchange(&[0x43, 0xBC], &[ACK]);
    host.exchange(&[0x00, 0x00, 0x00], &[ACK]);
    host.exchange(&[0x11, 0xEE], &[ACK]);
    host.exchange(&[0x08, 0x00, 0x00, 0x00, 0x08], &[ACK]);
    host.exchange(&[0x03, 0xFC], &[ACK, 0xFF, 0xFF, 0xFF, 0xFF]);
    host.no_complaints();
}

#[test]
fn a_second_sync_byte_is_half_a_command_and_a_third_makes_it_a_wrong_one() {
    let mut host = Host::synchronised("stm32f103cb");
    host.exchange(&[0x7F], &[]);
    host.exchange(&[0x7F], &[NACK]);
    host.exchange(&[0x02, 0xFD], &[ACK, 0x01, 0x04, 0x10, ACK]);
    host.no_complaints();
}

#[test]
fn a_command_that_get_does_not_list_is_refused_with_a_complaint() {
    let mut host = Host::synchronised("stm32f103cb");
    host.exchange(&[0x44, 0xBB], &[NACK]);
    assert_eq!(host.complaints(), [ComplaintKind::Unsupported]);
}
