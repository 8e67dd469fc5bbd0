//! `reset PORT SPEC` takes the target at a port into its bootloader and back, in each way that SPEC
//! (what `--reset` takes) stands for, and tells what it does. `reset PORT -i STRING` takes what
//! stm32flash takes. A port `BUS@ADDRESS` is on I2C.

use std::error::Error;

use flashwire_link::reset::{ResetSpec, run};
use flashwire_link::{Link, Settings, WithGpio, i2c, serial};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (port, spec) = match arguments[..] {
        [port, spec] => (port, ResetSpec::parse(spec)?),
        [port, "-i", string] => (port, ResetSpec::parse_stm32flash(string)?),
        _ => return Err("usage: reset PORT SPEC | reset PORT -i STRING".into()),
    };
    let link: Box<dyn Link> = match port.split_once('@') {
        Some((bus, address)) => Box::new(i2c::open(bus, address.parse()?)?),
        None => Box::new(serial::open(port, Settings::even(115_200))?),
    };
    let mut link = WithGpio::new(link);
    for way in spec.ways() {
        println!("{}: {}", way.spec, way.enter);
        run(&mut link, &way.enter)?;
        if let Some(leave) = way.leave {
            println!("back: {leave}");
            run(&mut link, &leave)?;
        }
    }
    for warning in link.take_warnings() {
        println!("warning: {warning}");
    }
    Ok(())
}
