//! The STM32 client, answered by something that is no loader: whatever comes back, and whatever
//! stays away, each job ends within its deadlines, finished or with an error.

#![no_main]

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::stm32::{Bootloader, Error, Options, Parts, Target};
use flashwire_link::{Deadline, Instant, LineChange, Link, LinkError, Settings};
use flashwire_plan::{EraseUnit, FlashDevice};
use libfuzzer_sys::fuzz_target;

/// A byte of input that stands for silence until the deadline.
const SILENCE: u8 = 0xA5;

/// Longest that all of it may take on the link's clock: the erase of a large flash, tried again.
const LONGEST: Duration = Duration::from_secs(3600);

/// Something that answers with the input, byte by byte, and then not at all.
struct Babbler {
    answers: Vec<u8>,
    next: usize,
    now: Duration,
    settings: Settings,
}

impl Link for Babbler {
    fn name(&self) -> &str {
        "babbler"
    }

    fn now(&self) -> Instant {
        Instant::from_open(self.now)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.pause(self.settings.wire_time(bytes.len()))
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        let answer = self.answers.get(self.next).copied();
        self.next += 1;
        match (answer, buffer.first_mut()) {
            (Some(byte), Some(room)) if byte != SILENCE => {
                *room = byte;
                self.pause(self.settings.wire_time(1))?;
                Ok(1)
            }
            _ => {
                self.pause(deadline.remaining(self.now()))?;
                Ok(0)
            }
        }
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.now += duration;
        assert!(self.now < LONGEST, "it waits for ever");
        Ok(())
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.settings = settings;
        Ok(())
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn lines(&mut self, _: &[LineChange]) -> Result<(), LinkError> {
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, answers)) = input.split_first() else {
        return;
    };
    let link = Babbler {
        answers: answers.to_vec(),
        next: 0,
        now: Duration::ZERO,
        settings: Settings::even(115_200),
    };
    let loader = Bootloader::new(Box::new(link), Options::default());
    // Which error it is does not matter here.
    let _ = job(loader, choice);
});

fn job(mut loader: Bootloader, choice: u8) -> Result<(), Error> {
    if choice & 0x80 == 0 {
        loader.synchronise()?;
    } else {
        loader.resume()?;
    }
    let identity = loader.identify(&Parts::built_in())?;
    let mut target = Target::new(loader, identity);
    let geometry = target.geometry().clone();
    let start = geometry.range.start;
    let mut block = [0x5A; 256];
    let tick = &mut |_| ControlFlow::Continue(());
    match choice % 8 {
        0 => {
            let _ = target.read(start, &mut block, tick);
        }
        1 => {
            let _ = target.program(start, &block, tick);
        }
        2 => {
            let _ = target.compare(start, &block, tick);
        }
        3 => {
            if let Some(run) = geometry
                .erase_kinds
                .first()
                .and_then(|kind| kind.runs.first())
            {
                let unit = EraseUnit {
                    kind: 0,
                    start: run.start,
                    end: run.start + run.unit_bytes,
                };
                let _ = target.erase(&[unit], tick);
            }
        }
        4 => target.loader_mut().go(start as u32)?,
        5 => target.loader_mut().readout_protect()?,
        6 => target.loader_mut().write_unprotect()?,
        _ => target.loader_mut().resynchronise()?,
    }
    Ok(())
}
