//! `reset PORT SPEC` takes the target at a port into its bootloader and back, in each way that SPEC
//! (what `--reset` takes) stands for, and tells what it does.

use std::error::Error;

use flashwire_link::reset::{ResetSpec, run};
use flashwire_link::{Link, Settings, WithGpio, serial};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, spec] = &arguments[..] else {
        return Err("usage: reset PORT SPEC".into());
    };
    let spec = ResetSpec::parse(spec)?;
    let mut link = WithGpio::new(serial::open(port, Settings::even(115_200))?);
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
