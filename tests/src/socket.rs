//! A SPI NOR chip in a programmer's socket, for tests of the client in virtual time.

use std::cell::{Ref, RefMut};
use std::ops::{ControlFlow, Range};

use flashwire_client::serprog::{self, Client};
use flashwire_client::spinor::{self, Chip, Parts};
use flashwire_plan::{
    Cause, Current, Event, FlashDevice, Image, Options, Report, RunError, execute, needs, plan,
    survey,
};
use flashwire_sim::nor;
use flashwire_sim::programmer::{MODELS, Programmer};

use crate::bench::Bench;

/// Programmer and chip of every bench that speaks serprog.
pub fn all_benches() -> impl Iterator<Item = (&'static str, &'static nor::Part)> {
    MODELS
        .iter()
        .filter(|model| model.method() == "serprog")
        .flat_map(|model| nor::PARTS.iter().map(|part| (model.name, part)))
}

impl Bench {
    /// The programmer.
    pub fn programmer(&self) -> Ref<'_, Programmer> {
        Ref::map(self.look(), |link| link.bench().programmer().unwrap())
    }

    /// The programmer, to do something to it.
    pub fn programmer_mut(&self) -> RefMut<'_, Programmer> {
        RefMut::map(self.change(), |link| {
            link.bench_mut().programmer_mut().unwrap()
        })
    }

    /// The chip, to do something to it.
    pub fn nor_mut(&self) -> RefMut<'_, nor::Chip> {
        RefMut::map(self.programmer_mut(), Programmer::chip_mut)
    }

    /// Puts content into the chip from its start on.
    pub fn fill_nor(&self, content: &[u8]) {
        self.nor_mut().memory_mut()[..content.len()].copy_from_slice(content);
    }

    /// A client of the programmer.
    pub fn serprog(&self, options: serprog::Options) -> Result<Client, serprog::Error> {
        Client::open(self.link(), options)
    }

    /// The chip as a client that chooses nothing finds it.
    pub fn nor(&self) -> Chip {
        let client = self.serprog(serprog::Options::default()).unwrap();
        let options = spinor::Options::default();
        Chip::open(Box::new(client), &Parts::built_in(), options).unwrap()
    }
}

/// Plans and does what makes `range` hold `data`.
///
/// # Errors
/// What the device did.
pub fn write(
    device: &mut dyn FlashDevice,
    address: u64,
    data: &[u8],
    options: &Options,
) -> Result<Report, RunError> {
    let image = Image::from_binary(data.to_vec(), Some(address)).unwrap();
    let nothing = &mut |_: &Event| ControlFlow::Continue(());
    let needs = needs(device.geometry(), &image, options).unwrap();
    let current: Current = survey(device, &needs, &image, nothing)?;
    let plan = plan(device.geometry(), &image, &current, options).unwrap();
    execute(&plan, device, nothing)
}

/// As [`write()`], with what everything else but a mismatch is called by.
///
/// # Errors
/// Why it did not reach its end.
pub fn try_write(device: &mut dyn FlashDevice, address: u64, data: &[u8]) -> Result<Report, Cause> {
    write(device, address, data, &Options::default()).map_err(|error| error.cause)
}

/// What the device holds in `range`.
pub fn read(device: &mut dyn FlashDevice, range: Range<u64>) -> Vec<u8> {
    let mut out = vec![0; (range.end - range.start) as usize];
    let nothing = &mut |_| ControlFlow::Continue(());
    device.read(range.start, &mut out, nothing).unwrap();
    out
}
