//! The programmers' machines, fed with whatever a wire can bring: they never panic, never ask of
//! their board what makes no sense, never give more than there is room for, and never take for ever.

#![no_main]

use flashwire_device::{Board, Device, Moment, bilingual, nfd, serprog};
use libfuzzer_sys::fuzz_target;

/// How often a machine is asked to go on with one piece of input: more than the longest wait that
/// a command can ask for takes at [`STEP_MICROS`].
const MOST_TURNS: u32 = 100_000;

/// Time between two turns.
const STEP_MICROS: u32 = 2_000;

/// A bus that answers with a pattern, and breaks on misuse.
#[derive(Default)]
struct StrictBoard {
    selected: bool,
    announced: u32,
    pattern: u8,
    micros: u32,
}

impl Board for StrictBoard {
    fn now(&self) -> Moment {
        Moment::from_micros(self.micros)
    }

    fn select(&mut self, _: u8) {
        assert!(!self.selected, "selected twice");
        self.selected = true;
    }

    fn deselect(&mut self) {
        self.selected = false;
        self.announced = 0;
    }

    fn write(&mut self, _: &[u8]) {
        assert!(self.selected, "nobody is selected");
        assert_eq!(self.announced, 0, "a write in the middle of a read");
    }

    fn start_read(&mut self, count: u32) {
        assert!(self.selected, "nobody is selected");
        assert_eq!(self.announced, 0, "a read in the middle of a read");
        self.announced = count;
    }

    fn finish_read(&mut self, out: &mut [u8]) {
        let count = u32::try_from(out.len()).unwrap();
        assert!(count <= self.announced, "more than was announced");
        self.announced -= count;
        for byte in out {
            // Odd and even: a chip that is busy half of the time.
            self.pattern = self.pattern.wrapping_mul(5).wrapping_add(3);
            *byte = self.pattern >> 3;
        }
    }

    fn set_clock(&mut self, hz: u32) -> u32 {
        hz.clamp(1, 18_000_000)
    }

    fn set_outputs(&mut self, _: bool) {}
}

impl nfd::Pins for StrictBoard {
    fn choose_chip_select(&mut self, _: u8) {}

    fn drive(&mut self, _: u8, _: Option<bool>) {}
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else {
        return;
    };
    // A wire brings its bytes in pieces.
    let piece = usize::from(choice >> 3) + 1;
    let board = StrictBoard::default();
    let mut config = serprog::Config::unlimited("fuzz", 9_000_000);
    match choice & 7 {
        0 => drive(&mut nfd::Programmer::new(board, "help\r\n"), bytes, piece),
        1 => drive(&mut serprog::Programmer::new(board, config), bytes, piece),
        2 => {
            config.extensions = false;
            drive(&mut serprog::Programmer::new(board, config), bytes, piece);
        }
        3 => {
            let mut device = bilingual::Programmer::new(board, config, "help\r\n");
            // The line has been silent.
            let now = Moment::from_micros(1000 * u32::from(bilingual::SILENCE_MS));
            device.transmit(now, &mut []);
            drive(&mut device, bytes, piece);
        }
        _ => {
            config.max_send_bytes = 64;
            config.max_receive_bytes = 64;
            config.chip_selects = 4;
            drive(&mut serprog::Programmer::new(board, config), bytes, piece);
        }
    }
});

fn drive(device: &mut dyn Device, bytes: &[u8], piece_bytes: usize) {
    let mut micros = 0;
    for piece in bytes.chunks(piece_bytes) {
        let mut rest = piece;
        let mut turns = 0;
        // What is not taken now is offered again after its answers were fetched.
        while !rest.is_empty() {
            let now = Moment::from_micros(micros);
            let taken = device.receive(now, rest);
            assert!(taken <= rest.len(), "it took more than there was");
            rest = &rest[taken..];
            let mut room = [0; 64];
            let given = device.transmit(now, &mut room);
            assert!(given <= room.len(), "it gave more than there was room for");
            micros = micros.wrapping_add(STEP_MICROS);
            turns += 1;
            if turns > MOST_TURNS {
                // A read of 16 MiB may go on; what counts is that it does.
                assert!(given > 0, "it is stuck");
                return;
            }
        }
    }
    device.reset(Moment::from_micros(micros));
}
