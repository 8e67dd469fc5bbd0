//! A USB device under a host that misbehaves: whatever happens on the cable, what the device
//! acknowledged comes back once and in order.

use flashwire_emulator::chip::Config;
use flashwire_emulator::host::{Device, Fault, HostConfig, HostError, Port};
use flashwire_emulator::{Board, Time};

use super::guest;

const TIMEOUT: Time = Time::from_millis(50);

struct Desk {
    board: Board,
    device: Device,
    port: Port,
}

impl Desk {
    fn new() -> Self {
        Self::with(0, 10)
    }

    fn with(apb_wait_cycles: u32, nak_gap_bits: u64) -> Self {
        let chip = Config {
            apb_wait_cycles,
            ..Config::default()
        };
        let host = HostConfig {
            nak_gap_bits,
            ..HostConfig::default()
        };
        let mut board = guest("echo", chip, host);
        let (device, port) = board.plug_in(Time::SECOND).expect("it is a CDC-ACM port");
        Self {
            board,
            device,
            port,
        }
    }

    /// Sends bytes and takes as many back.
    fn echo(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.board
            .exchange(&mut self.port, bytes, bytes.len(), TIMEOUT)
            .expect("it echoes")
    }

    #[track_caller]
    fn is_well(&mut self, bytes: &[u8]) {
        assert_eq!(self.echo(bytes), bytes);
        // Nothing comes on top of it.
        for _ in 0..100 {
            self.board
                .host
                .pump(&mut self.board.machine, &mut self.port)
                .unwrap();
        }
        assert_eq!(self.port.available(), 0);
        assert_eq!(self.board.machine.chip().complaints(), []);
    }
}

/// Bytes that tell where they were.
fn noise(count: usize) -> Vec<u8> {
    (0..count as u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[test]
fn descriptors_are_those_of_the_program() {
    let desk = Desk::new();
    let descriptors = &desk.device.descriptors;
    assert_eq!((descriptors.vendor(), descriptors.product()), (0x1209, 1));
    let strings = descriptors.strings.clone().map(Option::unwrap_or_default);
    assert_eq!(strings, ["guest", "echo", "001"]);
}

#[test]
fn everything_comes_back_with_any_bus_and_any_host() {
    for (wait, gap) in [(0, 10), (4, 10), (0, 200), (4, 200)] {
        let mut desk = Desk::with(wait, gap);
        for count in [1, 63, 64, 65, 128, 3000] {
            desk.is_well(&noise(count));
        }
    }
}

#[test]
fn a_lost_handshake_repeats_and_loses_nothing() {
    let bytes = noise(500);
    for skip in 0..24 {
        let mut desk = Desk::new();
        desk.board.host.inject(skip, Fault::LostHandshake);
        desk.is_well(&bytes);
    }
}

#[test]
fn a_garbled_packet_repeats_and_loses_nothing() {
    let bytes = noise(500);
    for skip in 0..24 {
        let mut desk = Desk::new();
        desk.board.host.inject(skip, Fault::GarbledData);
        desk.is_well(&bytes);
    }
}

#[test]
fn a_lost_acknowledge_of_input_is_seen_as_a_repetition() {
    let mut desk = Desk::new();
    // The second transaction is the echo.
    desk.board.host.inject(1, Fault::LostHandshake);
    desk.is_well(b"once");
    assert_eq!(desk.board.host.traffic().repeated, 1);
}

#[test]
fn three_faults_in_a_row_are_an_error() {
    let mut desk = Desk::new();
    for skip in 0..3 {
        desk.board.host.inject(skip, Fault::GarbledData);
    }
    let result = desk.board.exchange(&mut desk.port, b"lost", 4, TIMEOUT);
    assert!(
        matches!(result, Err(HostError::NoAnswer(0x01))),
        "{result:?}"
    );
}

#[test]
fn a_bus_reset_in_the_middle_of_a_transfer_leaves_a_working_device() {
    for packets in 0..6 {
        let mut desk = Desk::new();
        let Board { machine, host } = &mut desk.board;
        desk.port.write(&noise(500));
        let mut moved = 0;
        while moved < packets {
            moved += u32::from(host.pump_out(machine, &mut desk.port).unwrap());
            host.pump_in(machine, &mut desk.port).unwrap();
        }
        host.reset_device(machine, &desk.device.descriptors)
            .unwrap();
        desk.port.clear();
        desk.is_well(&noise(300));
    }
}

#[test]
fn a_device_that_is_plugged_in_again_is_enumerated_anew() {
    let mut desk = Desk::new();
    desk.port.write(&noise(500));
    for _ in 0..3 {
        desk.board
            .host
            .pump(&mut desk.board.machine, &mut desk.port)
            .unwrap();
    }
    let Board { machine, host } = &mut desk.board;
    host.unplug(machine, Time::from_millis(700)).unwrap();
    assert!(machine.cpu().is_asleep(), "an idle bus is a suspended one");
    (desk.device, desk.port) = desk.board.plug_in(Time::SECOND).unwrap();
    desk.is_well(&noise(300));
}

#[test]
fn a_suspended_device_stops_its_clocks_and_goes_on_where_it_was() {
    let mut desk = Desk::new();
    desk.is_well(b"before");
    let Board { machine, host } = &mut desk.board;
    host.suspend(machine, Time::from_millis(10)).unwrap();
    assert!(machine.cpu().is_asleep());
    let asleep = machine.cpu().instructions();
    host.suspend(machine, Time::SECOND).unwrap();
    assert_eq!(machine.cpu().instructions(), asleep);
    host.resume(machine).unwrap();
    assert_eq!(machine.chip().clocks().core_hz, 72_000_000);
    desk.is_well(b"and after");
}

#[test]
fn a_host_that_stops_reading_for_seconds_misses_nothing() {
    let mut desk = Desk::new();
    let bytes = noise(640);
    desk.port.write(&bytes);
    let Board { machine, host } = &mut desk.board;
    let end = machine.now() + Time::SECOND * 3;
    while machine.now() < end {
        if !host.pump_out(machine, &mut desk.port).unwrap() {
            host.idle(machine, Time::from_millis(1)).unwrap();
        }
    }
    assert!(desk.port.unsent() > 500, "the device cannot keep it all");
    let read = host
        .exchange(machine, &mut desk.port, bytes.len(), TIMEOUT)
        .unwrap();
    assert_eq!(read, bytes);
}

#[test]
fn a_cleared_halt_begins_with_data0_at_both_ends() {
    use flashwire_emulator::host::Setup;

    let mut desk = Desk::new();
    desk.is_well(b"an odd packet");
    for endpoint in [0x01, 0x82] {
        let setup = Setup {
            request_type: 2,
            request: 1,
            value: 0,
            index: endpoint,
            length: 0,
        };
        let Board { machine, host } = &mut desk.board;
        host.control(machine, setup, &[], 64).unwrap();
    }
    desk.is_well(b"and another");
}
