//! The small languages of the command line: ports, numbers, reset wirings, line settings, faults,
//! benches, files of settings and of parts. Each text is understood or refused, and what is shown
//! of it means the same.

#![no_main]

use flashwire::config::Config;
use flashwire::{Port, number};
use flashwire_client::stm32::Parts;
use flashwire_link::reset::ResetSpec;
use flashwire_link::{Fault, Line, Settings};
use flashwire_sim::{Bench, stm32};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(port) = text.parse::<Port>() {
        assert_eq!(port.to_string().parse::<Port>().unwrap(), port);
    }
    let _ = number::parse(text);
    let _ = Config::parse(text);
    if let Ok(spec) = ResetSpec::parse(text) {
        for way in spec.ways() {
            std::hint::black_box(way);
        }
    }
    if let Ok(settings) = text.parse::<Settings>() {
        assert_eq!(settings.to_string().parse::<Settings>().unwrap(), settings);
    }
    if let Ok(line) = text.parse::<Line>() {
        assert_eq!(line.to_string().parse::<Line>().unwrap(), line);
    }
    if let Ok(fault) = text.parse::<Fault>() {
        assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault);
    }
    let _ = text.parse::<stm32::Wiring>();
    let _ = Parts::with_file(text);
    // A bench with files would look for them.
    if !text.contains("image") {
        let _ = Bench::open(text);
    }
});
