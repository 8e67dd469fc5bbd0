//! A bench that a client talks to and a test looks into at the same time.

use std::cell::{Ref, RefCell, RefMut};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use flashwire_client::stm32::{Bootloader, Interface, Options, Parts, Target};
use flashwire_link::{Deadline, Instant, LineChange, Link, LinkError, Settings};
use flashwire_sim::SimLink;
use flashwire_sim::stm32::Chip;

/// A bench; clones are the same bench.
#[derive(Clone, Debug)]
pub struct Bench {
    link: Rc<RefCell<SimLink>>,
    cable: Rc<RefCell<Cable>>,
}

/// What goes out to the bench, and what of it gets lost on the way.
#[derive(Debug, Default)]
struct Cable {
    sends: Vec<Vec<u8>>,
    /// Bytes sent since [`Bench::lose`].
    count: u64,
    lost: Range<u64>,
    received: u64,
    /// Bytes sent and asked for, and in how many goes.
    passed: u64,
    transfers: u64,
    /// Most bytes asked for in one go.
    longest_read: usize,
}

/// The host's end of a bench.
#[derive(Debug)]
pub struct BenchLink {
    bench: Bench,
    name: String,
}

impl Bench {
    /// Opens a bench by what stands behind `sim:`.
    pub fn open(spec: &str) -> Self {
        Self {
            link: Rc::new(RefCell::new(SimLink::open(spec).unwrap())),
            cable: Rc::default(),
        }
    }

    /// From here on, of the bytes that the client sends those in `range` do not arrive, counted
    /// from 0.
    pub fn lose(&self, range: Range<u64>) {
        let mut cable = self.cable.borrow_mut();
        cable.count = 0;
        cable.lost = range;
    }

    /// Everything that was sent since this was last asked, send by send.
    pub fn take_sends(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.cable.borrow_mut().sends)
    }

    /// The end that a client talks through.
    pub fn link(&self) -> Box<dyn Link> {
        Box::new(BenchLink {
            bench: self.clone(),
            name: self.link.borrow().name().to_owned(),
        })
    }

    /// A client that has not said anything yet, for the interface that the bench is on.
    pub fn loader(&self, options: Options) -> Bootloader {
        let interface = match self.is_on_i2c() {
            true => Interface::I2C,
            false => Interface::UART,
        };
        let options = Options {
            interface,
            ..options
        };
        Bootloader::new(self.link(), options)
    }

    /// Whether its host is on an I2C bus.
    pub fn is_on_i2c(&self) -> bool {
        self.link.borrow().bench().address().is_some()
    }

    /// A client that has greeted the loader and identified the chip.
    pub fn target(&self, options: Options) -> Target {
        let mut loader = self.loader(options);
        loader.synchronise().unwrap();
        let identity = loader.identify(&Parts::built_in()).unwrap();
        Target::new(loader, identity)
    }

    /// How many bytes the client has received.
    pub fn received(&self) -> u64 {
        self.cable.borrow().received
    }

    /// How many bytes the client has sent and received.
    pub fn bytes_passed(&self) -> u64 {
        self.cable.borrow().passed
    }

    /// Most bytes that it has asked for in one go.
    pub fn longest_read(&self) -> usize {
        self.cable.borrow().longest_read
    }

    /// In how many goes it has sent and received: transfers, on a bus.
    pub fn transfers(&self) -> u64 {
        self.cable.borrow().transfers
    }

    /// The link, to look at it and at the bench.
    pub fn look(&self) -> Ref<'_, SimLink> {
        self.link.borrow()
    }

    /// The link, to do something to it or to the bench.
    pub fn change(&self) -> RefMut<'_, SimLink> {
        self.link.borrow_mut()
    }

    /// The chip.
    pub fn chip(&self) -> Ref<'_, Chip> {
        Ref::map(self.link.borrow(), |link| link.bench().chip().unwrap())
    }

    /// The chip, to do something to it.
    pub fn chip_mut(&self) -> RefMut<'_, Chip> {
        RefMut::map(self.link.borrow_mut(), |link| {
            link.bench_mut().chip_mut().unwrap()
        })
    }

    /// What the flash holds.
    pub fn flash(&self) -> Vec<u8> {
        self.link.borrow().bench().flash().to_vec()
    }

    /// Fills the flash.
    pub fn fill_flash(&self, content: &[u8]) {
        self.chip_mut().memory_mut().flash_mut()[..content.len()].copy_from_slice(content);
    }

    /// Time since the bench was opened.
    pub fn now(&self) -> Duration {
        self.link.borrow().now().since_open()
    }

    /// What the device holds against its host, as text.
    pub fn complaints(&self) -> Vec<String> {
        let link = self.link.borrow();
        let complaints = link.bench().complaints().iter();
        complaints.map(ToString::to_string).collect()
    }

    /// Presses the reset button.
    pub fn press_reset(&self) {
        let now = self.link.borrow().now();
        self.chip_mut().reset(now);
        self.link
            .borrow_mut()
            .pause(Duration::from_millis(100))
            .unwrap();
    }
}

impl Link for BenchLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn now(&self) -> Instant {
        self.bench.look().now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let arriving: Vec<u8> = {
            let mut cable = self.bench.cable.borrow_mut();
            cable.sends.push(bytes.to_vec());
            cable.passed += bytes.len() as u64;
            cable.transfers += 1;
            let lost = cable.lost.clone();
            let from = cable.count;
            cable.count += bytes.len() as u64;
            let numbered = (from..).zip(bytes);
            numbered
                .filter(|(n, _)| !lost.contains(n))
                .map(|(_, &byte)| byte)
                .collect()
        };
        self.bench.change().send(&arriving)
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        let count = self.bench.change().recv(buffer, deadline)?;
        let mut cable = self.bench.cable.borrow_mut();
        cable.received += count as u64;
        cable.passed += count as u64;
        cable.transfers += 1;
        cable.longest_read = cable.longest_read.max(buffer.len());
        Ok(count)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.bench.change().pause(duration)
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.bench.change().configure(settings)
    }

    fn settings(&self) -> Settings {
        self.bench.look().settings()
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        self.bench.change().lines(changes)
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.bench.change().discard_input()
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.bench.change().take_warnings()
    }
}

/// Bytes that look random and are the same in every run.
pub fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        // xorshift64*, Vigna 2016.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
    };
    (0..count).map(|_| next()).collect()
}
