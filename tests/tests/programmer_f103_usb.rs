//! The executed STM32F103 programmer as a USB device: USB 2.0, chapter 9, request by request.

use flashwire_emulator::chip::Config;
use flashwire_emulator::host::{HostConfig, HostError, Setup};
use flashwire_sim::nor;
use flashwire_tests::programmer::{Build, Programmer};

const BUILDS: [Build; 2] = [Build::DoubleBuffered, Build::SingleBuffered];

/// bMaxPacketSize0.
const PACKET_0: usize = 64;

/// Endpoints of the two pipes.
const OUT: u16 = 0x01;
const IN: u16 = 0x82;
const NOTIFICATIONS: u16 = 0x83;

/// Standard requests: USB 2.0, table 9-4.
const GET_STATUS: u8 = 0;
const CLEAR_FEATURE: u8 = 1;
const SET_FEATURE: u8 = 3;
const GET_DESCRIPTOR: u8 = 6;
const SET_DESCRIPTOR: u8 = 7;
const GET_CONFIGURATION: u8 = 8;
const SET_CONFIGURATION: u8 = 9;
const GET_INTERFACE: u8 = 10;
const SET_INTERFACE: u8 = 11;
const SYNCH_FRAME: u8 = 12;

fn with(build: Build, config: Config) -> Programmer {
    let part = nor::find("w25q80bv").expect("a part of the bench");
    let chip = nor::Chip::new(part, nor::Options::default());
    Programmer::new(build, config, HostConfig::default(), chip)
}

fn programmer(build: Build) -> Programmer {
    with(build, Config::default())
}

const fn setup(request_type: u8, request: u8, value: u16, index: u16, length: u16) -> Setup {
    Setup {
        request_type,
        request,
        value,
        index,
        length,
    }
}

/// Its answer; None for STALL.
fn ask(programmer: &mut Programmer, setup: Setup) -> Option<Vec<u8>> {
    let board = &mut programmer.board;
    let data = vec![
        0;
        if setup.is_in() {
            0
        } else {
            setup.length.into()
        }
    ];
    match board
        .host
        .control(&mut board.machine, setup, &data, PACKET_0)
    {
        Ok(answer) => Some(answer),
        Err(HostError::Stalled(0 | 0x80)) => None,
        Err(error) => panic!("{setup:02x?}: {error}"),
    }
}

/// Both pipes work: the identification of the chip, twice, so that both toggles are met.
#[track_caller]
fn works(programmer: &mut Programmer) {
    for _ in 0..2 {
        assert_eq!(programmer.spi(&[0x9F], 3), [0xEF, 0x40, 0x14]);
    }
    let machine = &programmer.board.machine;
    assert_eq!(
        (machine.resets(), machine.chip().complaints()),
        (1, &[][..])
    );
}

#[test]
fn each_standard_request_is_answered_as_the_standard_says() {
    let requests: [(Setup, Option<&[u8]>); 27] = [
        // From the bus's power, no remote wake-up, no halt.
        (setup(0x80, GET_STATUS, 0, 0, 2), Some(&[0, 0])),
        (setup(0x81, GET_STATUS, 0, 0, 2), Some(&[0, 0])),
        (setup(0x81, GET_STATUS, 0, 1, 2), Some(&[0, 0])),
        (setup(0x81, GET_STATUS, 0, 2, 2), None),
        (setup(0x82, GET_STATUS, 0, 0x00, 2), Some(&[0, 0])),
        (setup(0x82, GET_STATUS, 0, 0x80, 2), Some(&[0, 0])),
        (setup(0x82, GET_STATUS, 0, OUT, 2), Some(&[0, 0])),
        (setup(0x82, GET_STATUS, 0, IN, 2), Some(&[0, 0])),
        (setup(0x82, GET_STATUS, 0, NOTIFICATIONS, 2), Some(&[0, 0])),
        (setup(0x82, GET_STATUS, 0, 0x81, 2), None),
        (setup(0x82, GET_STATUS, 0, 0x04, 2), None),
        // A reply of which less is wanted, or nothing: section 9.3.5.
        (setup(0x80, GET_STATUS, 0, 0, 1), Some(&[0])),
        (setup(0x80, GET_STATUS, 0, 0, 0), Some(&[])),
        (setup(0x80, GET_DESCRIPTOR, 0x0100, 0, 0), Some(&[])),
        (setup(0x80, GET_CONFIGURATION, 0, 0, 1), Some(&[1])),
        (setup(0x81, GET_INTERFACE, 0, 0, 1), Some(&[0])),
        (setup(0x81, GET_INTERFACE, 0, 1, 1), Some(&[0])),
        (setup(0x81, GET_INTERFACE, 0, 2, 1), None),
        (setup(0x01, SET_INTERFACE, 0, 0, 0), Some(&[])),
        (setup(0x01, SET_INTERFACE, 1, 0, 0), None),
        (setup(0x01, SET_INTERFACE, 0, 2, 0), None),
        // Remote wake-up and test modes are not there.
        (setup(0x00, SET_FEATURE, 1, 0, 0), None),
        (setup(0x00, SET_FEATURE, 2, 0x0100, 0), None),
        (setup(0x00, SET_CONFIGURATION, 2, 0, 0), None),
        (setup(0x80, GET_DESCRIPTOR, 0x0600, 0, 10), None),
        (setup(0x00, SET_DESCRIPTOR, 0x0100, 0, 18), None),
        (setup(0x82, SYNCH_FRAME, 0, IN, 2), None),
    ];
    for build in BUILDS {
        let mut programmer = programmer(build);
        for (request, expected) in requests {
            let answer = ask(&mut programmer, request);
            assert_eq!(answer.as_deref(), expected, "{build:?}, {request:02x?}");
        }
        works(&mut programmer);
    }
}

#[test]
fn what_is_no_request_is_refused_and_what_follows_is_answered() {
    for build in BUILDS {
        let mut programmer = programmer(build);
        for request_type in [0x00, 0x02, 0x21, 0x40, 0x80, 0x82, 0xA1, 0xC0, 0xE3] {
            for request in [0x02, 0x04, 0x0D, 0x24, 0x7F, 0xFF] {
                let length = if request_type & 0x80 == 0 { 0 } else { 8 };
                let wrong = setup(request_type, request, 0x1234, 0x5678, length);
                assert_eq!(ask(&mut programmer, wrong), None, "{wrong:02x?}");
                let status = setup(0x80, GET_STATUS, 0, 0, 2);
                assert_eq!(ask(&mut programmer, status), Some(vec![0, 0]));
            }
        }
        works(&mut programmer);
    }
}

#[test]
fn a_reply_ends_where_the_host_or_the_descriptor_ends() {
    for build in BUILDS {
        let mut programmer = programmer(build);
        let configuration = |length| setup(0x80, GET_DESCRIPTOR, 0x0200, 0, length);
        let whole = ask(&mut programmer, configuration(255)).expect("it is there");
        assert_eq!(whole.len(), 67);
        for length in [1, 9, 63, 64, 65, 66, 67] {
            let part = ask(&mut programmer, configuration(length)).expect("it is there");
            assert!(part == whole[..length.into()], "{length} bytes");
        }
    }
}

#[test]
fn a_halted_endpoint_answers_stall_until_that_is_cleared() {
    for build in BUILDS {
        for endpoint in [OUT, IN, NOTIFICATIONS] {
            let mut programmer = programmer(build);
            let halted = |programmer: &mut Programmer| {
                let status = ask(programmer, setup(0x82, GET_STATUS, 0, endpoint, 2));
                status.expect("it is an endpoint")[0]
            };
            let halt = setup(0x02, SET_FEATURE, 0, endpoint, 0);
            assert_eq!(ask(&mut programmer, halt), Some(vec![]));
            assert_eq!(halted(&mut programmer), 1, "{endpoint:#x}");
            if endpoint != NOTIFICATIONS {
                // Opening the port does not end it.
                programmer.close();
                programmer.open();
                let refused = programmer.exchange(&[0x00], 1);
                assert!(
                    matches!(refused, Err(HostError::Stalled(at)) if u16::from(at) == endpoint),
                    "{build:?}, {endpoint:#x}: {refused:?}"
                );
                programmer.port.clear();
            }
            let clear = setup(0x02, CLEAR_FEATURE, 0, endpoint, 0);
            assert_eq!(ask(&mut programmer, clear), Some(vec![]));
            assert_eq!(halted(&mut programmer), 0, "{endpoint:#x}");
            works(&mut programmer);
        }
    }
}

#[test]
fn clearing_a_halt_that_is_none_leaves_the_other_pipe_where_it_was() {
    for build in BUILDS {
        for endpoint in [OUT, IN, NOTIFICATIONS, 0x00, 0x80] {
            // After an odd and an even number of packets each way.
            for packets in 1..=4 {
                let mut programmer = programmer(build);
                for _ in 0..packets {
                    assert_eq!(programmer.exchange(&[0x00], 1).ok(), Some(vec![0x06]));
                }
                let clear = setup(0x02, CLEAR_FEATURE, 0, endpoint, 0);
                assert_eq!(ask(&mut programmer, clear), Some(vec![]));
                works(&mut programmer);
            }
        }
    }
}

#[test]
fn setting_the_interface_lets_both_pipes_begin_with_data0() {
    for build in BUILDS {
        for packets in 1..=4 {
            let mut programmer = programmer(build);
            for _ in 0..packets {
                assert_eq!(programmer.exchange(&[0x00], 1).ok(), Some(vec![0x06]));
            }
            let set = setup(0x01, SET_INTERFACE, 0, 1, 0);
            assert_eq!(ask(&mut programmer, set), Some(vec![]));
            programmer.board.host.reset_toggles([OUT as u8, IN as u8]);
            works(&mut programmer);
        }
    }
}

#[test]
fn without_a_configuration_there_is_nothing_but_endpoint_0() {
    for build in BUILDS {
        let mut programmer = programmer(build);
        assert_eq!(programmer.exchange(&[0x00], 1).ok(), Some(vec![0x06]));
        let configure = |value| setup(0x00, SET_CONFIGURATION, value, 0, 0);
        assert_eq!(ask(&mut programmer, configure(0)), Some(vec![]));
        let configuration = setup(0x80, GET_CONFIGURATION, 0, 0, 1);
        assert_eq!(ask(&mut programmer, configuration), Some(vec![0]));
        for refused in [
            setup(0x81, GET_STATUS, 0, 0, 2),
            setup(0x82, GET_STATUS, 0, IN, 2),
            setup(0x81, GET_INTERFACE, 0, 0, 1),
            setup(0x01, SET_INTERFACE, 0, 0, 0),
            setup(0x02, SET_FEATURE, 0, IN, 0),
            setup(0x02, CLEAR_FEATURE, 0, OUT, 0),
        ] {
            assert_eq!(ask(&mut programmer, refused), None, "{refused:02x?}");
        }
        let silent = programmer.exchange(&[0x00], 1);
        assert!(matches!(silent, Err(HostError::NoAnswer(_))), "{silent:?}");
        programmer.port.clear();
        for _ in 0..2 {
            assert_eq!(ask(&mut programmer, configure(1)), Some(vec![]));
            programmer.board.host.reset_toggles([OUT as u8, IN as u8]);
            works(&mut programmer);
        }
    }
}

#[test]
fn two_chips_have_two_serial_numbers() {
    let number = |unique_id: [u8; 12]| {
        let config = Config {
            unique_id,
            ..Config::default()
        };
        let programmer = with(Build::DoubleBuffered, config);
        let strings = &programmer.device.descriptors.strings;
        strings.iter().flatten().last().expect("it has one").clone()
    };
    let low = number([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(low, "000102030405060708090A0B");
    let high = number([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xFF]);
    assert_eq!(high, "000102030405060708090AFF");
}
