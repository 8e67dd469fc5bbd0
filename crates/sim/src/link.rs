//! A bench as a link: the cable's host end in virtual time.

use std::time::Duration;

use flashwire_link::{BusFault, Deadline, Instant, Line, LineChange, Link, LinkError, Settings};

use crate::Bench;
use crate::bench::{BenchError, MAX_BAUD, OPENED};
use crate::storage::StorageError;
use crate::wire::{GPIO_LINES, Lines};

/// The chip whose GPIO lines a bench has.
const GPIO_CHIP: &str = "gpiochip0";

/// Pause between two tries of a read that nobody acknowledges.
const RETRY_PAUSE: Duration = Duration::from_micros(250);

fn no_such_gpio(line: &Line) -> LinkError {
    LinkError::Line {
        line: line.to_string(),
        why: format!(
            "a bench has the lines 0 to {} of a {GPIO_CHIP}",
            GPIO_LINES - 1
        ),
    }
}

/// A bench behind a [`Link`].
///
/// Time is virtual: it passes only where the link is told to wait, and then at once, so that a
/// time-out of an hour costs nothing and every run repeats to the bit. With the bench's key
/// `realtime` the same waits take as long as they say.
#[derive(Debug)]
pub struct SimLink {
    name: String,
    bench: Bench,
    lines: Lines,
    /// When the link was opened, if it keeps to wall time.
    opened: Option<std::time::Instant>,
    warnings: Vec<String>,
}

impl SimLink {
    /// Opens a bench by what stands behind `sim:` in a port.
    ///
    /// # Errors
    /// As [`Bench::open`].
    pub fn open(spec: &str) -> Result<Self, BenchError> {
        let bench = Bench::open(spec)?;
        Ok(Self {
            name: match bench.address() {
                Some(address) => format!("sim:{}@0x{address:02x}", bench.name()),
                None => format!("sim:{}", bench.name()),
            },
            opened: bench.options.realtime.then(std::time::Instant::now),
            lines: match bench.address() {
                Some(_) => Lines::default(),
                None => OPENED,
            },
            bench,
            warnings: Vec::new(),
        })
    }

    /// The bench.
    pub fn bench(&self) -> &Bench {
        &self.bench
    }

    /// The bench, to do something to.
    pub fn bench_mut(&mut self) -> &mut Bench {
        &mut self.bench
    }

    /// Ends the link and writes the bench's files.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn close(self) -> Result<(), StorageError> {
        self.bench.close()
    }

    /// Lets the bench catch up with the clock on the wall.
    fn catch_up(&mut self) {
        if let Some(opened) = self.opened {
            let now = Instant::from_open(opened.elapsed());
            self.bench.wire_mut().advance(now);
        }
    }

    /// Goes on to a moment; in real time by sleeping until then.
    fn go_on(&mut self, to: Instant) {
        if let Some(opened) = self.opened {
            std::thread::sleep(to.since_open().saturating_sub(opened.elapsed()));
        }
        self.bench.wire_mut().advance(to);
    }

    /// Waits in real time for what has already happened on the bench.
    fn keep_pace(&mut self) {
        let now = self.bench.wire().now();
        self.go_on(now);
    }

    /// One read transfer; `false` if nobody acknowledges the address.
    fn bus_read(&mut self, address: u8, buffer: &mut [u8]) -> Result<bool, LinkError> {
        let done = self.bench.wire_mut().bus_read(address, buffer);
        self.keep_pace();
        self.check_open()?;
        match done {
            Ok(()) => Ok(true),
            Err(BusFault::NoDevice) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }

    fn check_open(&self) -> Result<(), LinkError> {
        if self.bench.wire().is_closed() {
            Err(LinkError::Closed)
        } else {
            Ok(())
        }
    }
}

impl Link for SimLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn now(&self) -> Instant {
        match self.opened {
            Some(opened) => Instant::from_open(opened.elapsed()).max(self.bench.wire().now()),
            None => self.bench.wire().now(),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.catch_up();
        self.check_open()?;
        if let Some(address) = self.bench.address() {
            let done = self.bench.wire_mut().bus_write(address, bytes);
            self.keep_pace();
            self.check_open()?;
            return Ok(done?);
        }
        self.bench.wire_mut().push(bytes);
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        self.catch_up();
        if let Some(address) = self.bench.address() {
            self.check_open()?;
            while !self.bus_read(address, buffer)? {
                let left = deadline.remaining(self.now());
                if left.is_zero() {
                    return Ok(0);
                }
                self.pause(left.min(RETRY_PAUSE))?;
            }
            return Ok(buffer.len());
        }
        loop {
            let wire = self.bench.wire_mut();
            let count = wire.pop(buffer);
            if count > 0 {
                return Ok(count);
            }
            let now = wire.now();
            let next = wire.next_event();
            self.check_open()?;
            let end = deadline.moment();
            match next {
                Some(at) if at <= end => self.go_on(at),
                _ => {
                    self.go_on(end.max(now));
                    return Ok(0);
                }
            }
        }
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.catch_up();
        let end = self.now() + duration;
        self.go_on(end);
        Ok(())
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.catch_up();
        self.check_open()?;
        if self.bench.address().is_some() && settings != self.settings() {
            return Err(LinkError::Unsupported(
                "a speed of its own: the system sets the clock of an I2C bus".to_owned(),
            ));
        }
        if !(1..=MAX_BAUD).contains(&settings.baud) {
            let speed = format!("a speed of {} baud", settings.baud);
            return Err(LinkError::Unsupported(speed));
        }
        let sent_by = self.bench.wire().sent_by();
        self.go_on(sent_by);
        self.bench.wire_mut().configure(settings);
        Ok(())
    }

    fn settings(&self) -> Settings {
        self.bench.wire().host_settings()
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        self.catch_up();
        self.check_open()?;
        let bus = self.bench.address().is_some();
        for change in changes {
            match &change.line {
                Line::Gpio { chip, line } => {
                    let number: Option<usize> = line.parse().ok().filter(|_| chip == GPIO_CHIP);
                    match number.and_then(|number| self.lines.gpio.get_mut(number)) {
                        Some(level) => *level = Some(change.on),
                        None => return Err(no_such_gpio(&change.line)),
                    }
                }
                Line::Dtr if !bus => self.lines.dtr = Some(change.on),
                Line::Rts if !bus => self.lines.rts = Some(change.on),
                Line::Break if !bus => self.lines.brk = change.on,
                other => self.warnings.push(format!("a bench has no line {other}")),
            }
        }
        self.bench.wire_mut().set_lines(self.lines);
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.catch_up();
        self.bench.wire_mut().discard();
        Ok(())
    }

    fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn real_time(&self) -> bool {
        self.opened.is_some()
    }
}
