//! Each test is one sentence of RM0008 rev 21, chapter 23.

use super::*;

const EP0: u32 = 0x00;
const EP1: u32 = 0x04;
const CNTR: u32 = 0x40;
const ISTR: u32 = 0x44;
const FNR: u32 = 0x48;
const DADDR: u32 = 0x4c;

/// EPnR values: control 0, bulk 1.
const CONTROL: u32 = 0x0200;
const BULK_1: u32 = 0x0001;
const DBL_BUF: u32 = 0x0100;
const CTR_BITS: u32 = 0x8080;
const VALID_TX: u32 = 0x0030;
const NAK_TX: u32 = 0x0020;
const VALID_RX: u32 = 0x3000;

/// Switched on, after a bus reset, at address 0, buffers of 64 bytes at 64, 128, 192 and 256.
fn device(rules: DoubleBuffering) -> Usb {
    let mut usb = Usb::new(rules);
    usb.write(CNTR, 0, Time::ZERO).unwrap();
    usb.bus_reset(Time::ZERO);
    usb.bus_idle(Time::ZERO);
    usb.write(ISTR, 0, Time::ZERO).unwrap();
    usb.write(DADDR, 0x80, Time::ZERO).unwrap();
    for register in 0..2 {
        let entry = register * 8;
        usb.memory.set_half(entry, 64 + register * 128);
        usb.memory.set_half(entry + 4, 128 + register * 128);
        usb.memory.set_half(entry + 6, 0x8400);
    }
    usb
}

fn write(usb: &mut Usb, offset: u32, value: u32) {
    usb.write(offset, value, Time::ZERO).unwrap();
}

fn read(usb: &Usb, offset: u32) -> u32 {
    usb.read(offset).unwrap()
}

/// Sets the length of what is to be sent from a slot of endpoint 1.
fn set_length(usb: &mut Usb, slot: u16, count: u16) {
    usb.memory.set_half(8 + slot * 4 + 2, count);
}

/// An IN transaction that the host acknowledges; its length, or None for NAK.
fn take(usb: &mut Usb, endpoint: u8) -> Option<usize> {
    match usb.in_token(0, endpoint) {
        InReply::Data {
            register, bytes, ..
        } => {
            usb.in_acknowledged(register);
            Some(bytes.len())
        }
        InReply::Nak => None,
        other => panic!("neither data nor NAK: {other:?}"),
    }
}

#[test]
fn toggle_bits_are_toggled_and_others_written() {
    let mut usb = device(DoubleBuffering::Latched);
    write(&mut usb, EP1, BULK_1 | VALID_TX);
    assert_eq!(read(&usb, EP1), BULK_1 | VALID_TX);
    // VALID to NAK: toggle the lower bit.
    write(&mut usb, EP1, BULK_1 | 0x10);
    assert_eq!(read(&usb, EP1), BULK_1 | NAK_TX);
    write(&mut usb, EP1, 0x0602);
    assert_eq!(read(&usb, EP1), 0x0602 | NAK_TX);
}

#[test]
fn an_in_transaction_flags_itself_toggles_and_ends_in_nak() {
    let mut usb = device(DoubleBuffering::Latched);
    set_length(&mut usb, 0, 3);
    usb.memory.fill(192, b"abc");
    write(&mut usb, EP1, BULK_1 | VALID_TX);
    let reply = usb.in_token(0, 1);
    assert!(matches!(reply, InReply::Data { toggle: false, ref bytes, .. } if bytes == b"abc"));
    usb.in_acknowledged(1);
    assert_eq!(read(&usb, EP1), BULK_1 | 0x80 | 0x40 | NAK_TX);
    assert_eq!(usb.in_token(0, 1), InReply::Nak);
    assert_eq!(read(&usb, ISTR) & 0x801f, 0x8001, "CTR, IN, endpoint 1");
    // CTR is cleared by writing 0, and only so.
    write(&mut usb, EP1, BULK_1 | CTR_BITS);
    assert_eq!(read(&usb, EP1) & 0x80, 0x80);
    write(&mut usb, EP1, BULK_1 | 0x8000);
    assert_eq!(read(&usb, EP1) & 0x80, 0);
}

#[test]
fn without_the_acknowledgement_the_same_packet_is_sent_again() {
    let mut usb = device(DoubleBuffering::Latched);
    set_length(&mut usb, 0, 1);
    write(&mut usb, EP1, BULK_1 | VALID_TX);
    let first = usb.in_token(0, 1);
    usb.in_unanswered();
    assert_eq!(usb.in_token(0, 1), first);
    assert_eq!(read(&usb, ISTR) & 0x2000, 0x2000, "ERR");
}

#[test]
fn an_out_packet_is_stored_with_its_check_sum() {
    let mut usb = device(DoubleBuffering::Latched);
    write(&mut usb, EP1, BULK_1 | VALID_RX);
    assert_eq!(usb.out_data(0, 1, false, &[0, 1, 2, 3]), OutReply::Ack);
    assert_eq!(usb.memory.half(8 + 6), 0x8404);
    assert_eq!(usb.memory.half(256 + 4), 0x7aef);
    assert_eq!(read(&usb, EP1) & 0xf000, 0x8000 | 0x4000 | 0x2000);
    assert_eq!(usb.out_data(0, 1, true, &[4]), OutReply::Nak);
}

#[test]
fn a_packet_that_came_before_is_acknowledged_and_dropped() {
    let mut usb = device(DoubleBuffering::Latched);
    write(&mut usb, EP1, BULK_1 | VALID_RX);
    usb.out_data(0, 1, false, b"a");
    // Clear CTR_RX, NAK to VALID.
    write(&mut usb, EP1, BULK_1 | 0x0080 | 0x1000);
    assert_eq!(usb.out_data(0, 1, false, b"a"), OutReply::Ack);
    assert_eq!(read(&usb, EP1) & 0xf000, 0x4000 | VALID_RX);
}

#[test]
fn a_packet_that_is_too_long_is_stalled_and_cut_off() {
    let mut usb = device(DoubleBuffering::Latched);
    // Two blocks of two bytes.
    usb.memory.set_half(8 + 6, 2 << 10);
    usb.memory.set_half(256 + 4, 0x5a5a);
    write(&mut usb, EP1, BULK_1 | VALID_RX);
    assert_eq!(usb.out_data(0, 1, false, b"abcde"), OutReply::Stall);
    assert_eq!(usb.memory.bytes(256, 6), b"abcdZZ");
    assert_eq!(read(&usb, EP1), BULK_1 | VALID_RX, "nothing has happened");
}

#[test]
fn a_setup_is_taken_whatever_the_state_and_resets_both_toggles() {
    let mut usb = device(DoubleBuffering::Latched);
    write(&mut usb, EP0, CONTROL | 0x1010);
    assert_eq!(usb.out_data(0, 0, false, b"x"), OutReply::Stall);
    assert_eq!(usb.setup_data(0, 0, &[0; 8]), OutReply::Ack);
    assert_eq!(read(&usb, EP0), CONTROL | 0x8000 | 0x6060 | 0x0800);
    assert_eq!(read(&usb, ISTR) & 0x801f, 0x8010, "CTR, OUT, endpoint 0");
}

#[test]
fn a_setup_behind_one_that_waits_is_dropped_in_silence() {
    let mut usb = device(DoubleBuffering::Latched);
    write(&mut usb, EP0, CONTROL | VALID_RX | NAK_TX);
    usb.setup_data(0, 0, &[1; 8]);
    assert_eq!(usb.setup_data(0, 0, &[2; 8]), OutReply::Silence);
    assert_eq!(usb.memory.half(128), 0x0101);
    assert_eq!(usb.dropped_setups(), 1);
    write(&mut usb, EP0, CONTROL | 0x0080);
    assert_eq!(usb.setup_data(0, 0, &[2; 8]), OutReply::Ack);
}

#[test]
fn status_out_stalls_anything_but_an_empty_packet() {
    let mut usb = device(DoubleBuffering::Latched);
    write(&mut usb, EP0, CONTROL | 0x0100 | VALID_RX);
    assert_eq!(usb.out_data(0, 0, false, b"x"), OutReply::Stall);
    assert_eq!(usb.out_data(0, 0, false, b""), OutReply::Ack);
}

#[test]
fn a_bus_reset_disables_the_function_and_keeps_what_was_received() {
    let mut usb = device(DoubleBuffering::Latched);
    write(&mut usb, EP1, BULK_1 | VALID_RX);
    usb.out_data(0, 1, false, b"a");
    usb.bus_reset(Time::ZERO);
    usb.bus_idle(Time::ZERO);
    assert_eq!(read(&usb, EP1), 0x8000);
    assert_eq!(read(&usb, DADDR), 0);
    assert_eq!(read(&usb, ISTR) & 0x0400, 0x0400);
    write(&mut usb, EP0, CONTROL | VALID_RX);
    write(&mut usb, DADDR, 0x80);
    assert_eq!(
        usb.setup_data(0, 0, &[0; 8]),
        OutReply::Silence,
        "RESET is set"
    );
    write(&mut usb, ISTR, 0);
    assert_eq!(usb.setup_data(0, 0, &[0; 8]), OutReply::Ack);
}

#[test]
fn only_its_own_address_is_answered() {
    let mut usb = device(DoubleBuffering::Latched);
    write(&mut usb, EP0, CONTROL | VALID_RX);
    write(&mut usb, DADDR, 0x80 | 42);
    assert_eq!(usb.function_address(), 42);
    assert_eq!(usb.setup_data(0, 0, &[0; 8]), OutReply::Silence);
    assert_eq!(usb.setup_data(42, 0, &[0; 8]), OutReply::Ack);
}

#[test]
fn three_lost_frames_are_a_suspend() {
    let mut usb = device(DoubleBuffering::Latched);
    usb.start_of_frame(7, Time::ZERO);
    usb.start_of_frame(8, Time::from_millis(1));
    assert_eq!(read(&usb, FNR), 0x8000 | 0x2000 | 8);
    usb.service(Time::from_millis(3));
    assert_eq!(read(&usb, ISTR) & 0x0900, 0x0100, "ESOF only");
    usb.service(Time::from_millis(5));
    assert_eq!(read(&usb, ISTR) & 0x0900, 0x0900, "ESOF and SUSP");
    // Suspended, it watches no more; a resume wakes it.
    write(&mut usb, ISTR, 0);
    write(&mut usb, CNTR, 0x0c);
    usb.service(Time::from_millis(50));
    assert_eq!(read(&usb, ISTR), 0);
    usb.bus_resume();
    assert_eq!(read(&usb, ISTR) & 0x1000, 0x1000, "WKUP");
    assert!(usb.wakes());
    assert_eq!(read(&usb, CNTR), 0x08, "LP_MODE is cleared");
    assert_eq!(read(&usb, FNR) >> 14, 0b01);
}

#[test]
fn double_buffered_endpoints_come_first_and_have_their_own_interrupt() {
    let mut usb = device(DoubleBuffering::Latched);
    write(&mut usb, EP0, CONTROL | VALID_RX);
    usb.memory.set_half(8 + 2, 0x8400);
    write(&mut usb, EP1, BULK_1 | DBL_BUF | VALID_RX);
    usb.setup_data(0, 0, &[0; 8]);
    assert_eq!(usb.interrupts(), (false, false));
    write(&mut usb, CNTR, 0x8000);
    assert_eq!(usb.interrupts(), (false, true));
    usb.out_data(0, 1, false, b"a");
    assert_eq!(usb.interrupts(), (true, true));
    assert_eq!(read(&usb, ISTR) & 0x1f, 0x11);
}

/// The obvious use of DBL_BUF for IN: fill a buffer, toggle SW_BUF, count on DTOG == SW_BUF to
/// answer NAK.
fn naive_in(rules: DoubleBuffering) -> Usb {
    let mut usb = device(rules);
    write(&mut usb, EP1, BULK_1 | DBL_BUF | VALID_TX);
    // Nothing is filled yet: DTOG == SW_BUF, which should mean NAK.
    set_length(&mut usb, 0, 1);
    set_length(&mut usb, 1, 2);
    usb
}

#[test]
fn the_naive_use_of_double_buffering_works_only_without_the_latch() {
    let mut usb = naive_in(DoubleBuffering::Unlatched);
    assert_eq!(take(&mut usb, 1), None, "nothing is filled");
    write(&mut usb, EP1, BULK_1 | DBL_BUF | CTR_BITS | 0x4000);
    assert_eq!(take(&mut usb, 1), Some(1));
    assert_eq!(take(&mut usb, 1), None);

    // On silicon nothing latched the conflict: garbage goes out.
    let mut usb = naive_in(DoubleBuffering::Latched);
    assert_eq!(take(&mut usb, 1), Some(1), "a packet that nobody filled");

    // And when the conflict is latched, filling the next buffer before the last packet is out
    // makes them equal: the endpoint answers NAK for ever.
    let mut usb = naive_in(DoubleBuffering::Latched);
    write(&mut usb, EP1, BULK_1 | DBL_BUF | CTR_BITS | 0x4000);
    write(&mut usb, EP1, BULK_1 | DBL_BUF | CTR_BITS | 0x4000);
    for _ in 0..1000 {
        assert_eq!(take(&mut usb, 1), None);
    }
}

/// Two filled buffers are handed over so that the conflict of the first is not latched and that
/// of the second is.
fn enter(rules: DoubleBuffering) -> Usb {
    let mut usb = device(rules);
    set_length(&mut usb, 0, 1);
    set_length(&mut usb, 1, 2);
    write(&mut usb, EP1, BULK_1 | NAK_TX);
    write(&mut usb, EP1, BULK_1 | DBL_BUF | CTR_BITS);
    // SW_BUF != DTOG; then DTOG over and back around a write of SW_BUF while they differ.
    for toggles in [0x4000, 0x0040, 0x4000, 0x0040] {
        write(&mut usb, EP1, BULK_1 | DBL_BUF | CTR_BITS | toggles);
    }
    // NAK to VALID.
    write(&mut usb, EP1, BULK_1 | DBL_BUF | CTR_BITS | 0x10);
    usb
}

#[test]
fn entering_with_two_filled_buffers_sends_both_and_then_waits() {
    for rules in [DoubleBuffering::Latched, DoubleBuffering::FirstNaks] {
        let mut usb = enter(rules);
        assert_eq!(take(&mut usb, 1), Some(1), "{rules:?}");
        // With the other reading of the manual, STAT fell to NAK: the program restores it.
        if read(&usb, EP1) & 0x30 == NAK_TX {
            write(&mut usb, EP1, BULK_1 | DBL_BUF | CTR_BITS | 0x10);
        }
        assert_eq!(take(&mut usb, 1), Some(2), "{rules:?}");
        assert_eq!(take(&mut usb, 1), None, "{rules:?}");
        // Steady state: clear CTR and hand over the other buffer in one write.
        for length in [10, 20, 30, 40] {
            let slot = read(&usb, EP1) >> 6 & 1;
            set_length(&mut usb, slot as u16, length);
            write(&mut usb, EP1, BULK_1 | DBL_BUF | 0x8000 | 0x4000);
            assert_eq!(take(&mut usb, 1), Some(usize::from(length)), "{rules:?}");
            assert_eq!(take(&mut usb, 1), None, "{rules:?}");
        }
    }
}

#[test]
fn leaving_double_buffering_lets_single_packets_through_again() {
    let mut usb = enter(DoubleBuffering::Latched);
    take(&mut usb, 1);
    take(&mut usb, 1);
    // SW_BUF != DTOG, then KIND off and STAT to NAK, then an ordinary packet.
    write(&mut usb, EP1, BULK_1 | DBL_BUF | 0x8000 | 0x4000);
    write(&mut usb, EP1, BULK_1 | CTR_BITS | 0x10);
    assert_eq!(take(&mut usb, 1), None);
    set_length(&mut usb, 0, 5);
    write(&mut usb, EP1, BULK_1 | CTR_BITS | 0x10);
    assert_eq!(take(&mut usb, 1), Some(5));
    assert_eq!(take(&mut usb, 1), None);
}

#[test]
fn a_double_buffered_out_endpoint_takes_packets_into_both_buffers() {
    let mut usb = device(DoubleBuffering::Latched);
    usb.memory.set_half(8 + 2, 0x8400);
    // SW_BUF (bit 6) != DTOG.
    write(&mut usb, EP1, BULK_1 | DBL_BUF | VALID_RX);
    write(&mut usb, EP1, BULK_1 | DBL_BUF | CTR_BITS | 0x0040);
    assert_eq!(usb.out_data(0, 1, false, b"first"), OutReply::Ack);
    assert_eq!(usb.memory.bytes(192, 5), b"first");
    // The first transaction latches nothing.
    assert_eq!(usb.out_data(0, 1, true, b"second"), OutReply::Ack);
    assert_eq!(usb.memory.bytes(256, 6), b"second");
    write(&mut usb, EP1, BULK_1 | DBL_BUF | 0x0080);
    // DTOG is 0 again and SW_BUF 1: free.
    assert_eq!(usb.out_data(0, 1, false, b"third"), OutReply::Ack);
    assert_eq!(usb.out_data(0, 1, true, b"fourth"), OutReply::Nak);
}
