//! An emulated STM32F103 with a flash chip clipped to it, for programs that know nothing of it.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flashwire_emulator::bridge::{Limits, Pace, Redirection, Stream};
use flashwire_emulator::chip::{Config, Pin};
use flashwire_emulator::host::{HostConfig, Traffic};
use flashwire_emulator::{Board, Image};
use flashwire_link::CancelFlag;
use flashwire_sim::nor::{self, Activity};
use flashwire_sim::serve::Listen;

/// The longest that any bridge is open.
const LONGEST: Duration = Duration::from_secs(300);

/// How programs reach the emulated USB device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The bytes of its port, on TCP.
    Stream,
    /// All of it, for QEMU.
    Redirection,
}

/// A board that is emulated until [`finish`](Self::finish).
#[derive(Debug)]
pub struct Emulated {
    address: String,
    stop: CancelFlag,
    thread: Option<JoinHandle<Remains>>,
}

/// What was on the board at its end.
#[derive(Debug)]
pub struct Remains {
    /// The content of the flash chip.
    pub flash: Vec<u8>,
    /// What was done to it.
    pub activity: Activity,
    /// What the flash chip held against the program.
    pub complaints: Vec<String>,
    /// What the STM32 held against it.
    pub stm32_complaints: Vec<String>,
    /// What went over the USB.
    pub traffic: Traffic,
    /// How often the device went away by itself.
    pub losses: u32,
    /// How often the chip was reset.
    pub resets: u64,
}

impl Emulated {
    /// Starts the program in the file on a STM32F103x8 with that flash chip at PA4, which begins
    /// with `content` and is busy for so many percent of its typical times.
    ///
    /// # Panics
    /// If that is not possible.
    pub fn start(program: &Path, part: &str, content: &[u8], busy_percent: u32, way: Way) -> Self {
        let program = fs::read(program).expect("the program was built");
        let part = nor::find(part).expect("the bench has that chip");
        let content = content.to_vec();
        let stop = CancelFlag::new();
        let flag = stop.clone();
        let (ready, is_ready) = mpsc::channel();
        // The board lives in its thread; what is left of it comes back as data.
        let thread = thread::spawn(move || {
            let image = Image::parse(&program).expect("it is an image");
            let chip = Config {
                flash_bytes: 64 * 1024,
                ..Config::default()
            };
            let mut board = Board::new(chip, HostConfig::default(), &image).expect("it fits");
            let options = nor::Options {
                pace: nor::Pace::Percent(busy_percent),
                seed: 0,
            };
            let mut flash = nor::Chip::new(part, options);
            flash.memory_mut()[..content.len()].copy_from_slice(&content);
            let select = Pin::parse("PA4").expect("it is a pin");
            let flash = board.clip(select, flash);
            let limits = Limits {
                stop: flag,
                time: Some(LONGEST),
                ..Limits::default()
            };
            let said = |place: String| {
                let address = place.strip_prefix("tcp:").expect("it listens on TCP");
                ready.send(address.to_owned()).expect("the test waits");
            };
            let any_port = "127.0.0.1:0".to_owned();
            let (losses, (traffic, resets, stm32_complaints)) = match way {
                Way::Stream => {
                    let place = Listen::Tcp(any_port);
                    let plugged = board.plug_in(Stream::PATIENCE);
                    let (_, line) = plugged.expect("the program is a serial port");
                    let mut bridge =
                        Stream::listen(board, line, &place, Pace::Fast).expect("a port");
                    said(bridge.place());
                    bridge.run(&limits).expect("the emulator knows it all");
                    (bridge.losses(), looked_at(bridge.board()))
                }
                Way::Redirection => {
                    let mut bridge =
                        Redirection::listen(board, &any_port, Pace::Fast).expect("a port");
                    said(bridge.place());
                    bridge.run(&limits).expect("the emulator knows it all");
                    (bridge.losses(), looked_at(bridge.board()))
                }
            };
            let flash = flash.chip();
            let complaints = flash.complaints().iter().map(ToString::to_string);
            Remains {
                flash: flash.memory().to_vec(),
                activity: flash.activity(),
                complaints: complaints.collect(),
                stm32_complaints,
                traffic,
                losses,
                resets,
            }
        });
        Self {
            address: is_ready.recv().expect("the board starts"),
            stop,
            thread: Some(thread),
        }
    }

    /// Where it listens: `ADDRESS:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Ends it.
    ///
    /// # Panics
    /// If the program did something that the emulator does not know.
    pub fn finish(mut self) -> Remains {
        self.stop.raise();
        let thread = self.thread.take().expect("it is finished once");
        thread.join().expect("the emulator held until its end")
    }
}

impl Drop for Emulated {
    fn drop(&mut self) {
        self.stop.raise();
    }
}

fn looked_at(board: &Board) -> (Traffic, u64, Vec<String>) {
    let chip = board.machine.chip();
    let complaints = chip
        .complaints()
        .iter()
        .map(|complaint| complaint.text.clone());
    (
        board.host.traffic(),
        board.machine.resets(),
        complaints.collect(),
    )
}
