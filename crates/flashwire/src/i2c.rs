//! I2C buses: which there are, and who is on one of them.
//!
//! Devices on a bus are never looked for unless somebody asks: see [`scan`].

use flashwire_link::BusFault;
use flashwire_sim::Bench;

use crate::error::{Error, Problem};
use crate::port::ADDRESSES;

#[cfg(feature = "os")]
pub use flashwire_link::i2c::Bus;

/// What a scan may do, for whoever asks for one.
pub const SCAN_WARNING: &str = "asking every address; bootloaders before protocol 1.2 hang for \
                                seconds from it, and other devices may, too";

/// The I2C buses of this computer. Nothing is opened.
///
/// # Errors
/// The system gives no list.
#[cfg(feature = "os")]
pub fn buses() -> Result<Vec<Bus>, Error> {
    Ok(flashwire_link::i2c::buses()?)
}

/// The addresses on a bus (`/dev/i2c-1`, or `sim:BENCH,bus=i2c`) at which somebody is.
///
/// Every address is asked, which can do harm ([`SCAN_WARNING`]): only on request.
///
/// # Errors
/// The bus cannot be opened, or does not work.
pub fn scan(bus: &str) -> Result<Vec<u8>, Error> {
    match bus.strip_prefix("sim:") {
        Some(spec) => scan_bench(spec),
        None => scan_bus(bus),
    }
}

#[cfg(feature = "os")]
fn scan_bus(bus: &str) -> Result<Vec<u8>, Error> {
    let found = flashwire_link::i2c::scan(bus).map_err(|source| Problem::OpenBus {
        link: bus.to_owned(),
        source,
    })?;
    Ok(found.into_iter().map(|address| address.get()).collect())
}

#[cfg(not(feature = "os"))]
fn scan_bus(bus: &str) -> Result<Vec<u8>, Error> {
    let what = format!("this build has benches only, and no bus {bus}");
    Err(Problem::Usage(what).into())
}

fn scan_bench(spec: &str) -> Result<Vec<u8>, Error> {
    let mut bench = Bench::open(spec)?;
    if bench.address().is_none() {
        let what = format!("sim:{spec} is no I2C bus: its key is bus=i2c");
        return Err(Problem::Usage(what).into());
    }
    let mut found = Vec::new();
    for address in ADDRESSES {
        match bench.wire_mut().bus_write(address, &[]) {
            Ok(()) => found.push(address),
            Err(BusFault::NoDevice) => {}
            Err(fault) => {
                let source = fault.into();
                let link = format!("sim:{spec}");
                return Err(Problem::OpenBus { link, source }.into());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_finds_the_loader_of_a_bench_and_nobody_else() {
        assert_eq!(scan("sim:stm32h743zi,bus=i2c").unwrap(), [0x4E]);
        let error = scan("sim:stm32h743zi").unwrap_err();
        assert_eq!(error.hint().code, "usage");
    }
}
