//! Jobs of flashwire on the executed STM32F103 programmer, in emulated time, beside the same jobs on the
//! simulated bench.

use std::time::Duration;

use flashwire_client::serprog::{self, Client};
use flashwire_client::spinor::{self, Chip, Parts};
use flashwire_emulator::chip::Config;
use flashwire_emulator::host::HostConfig;
use flashwire_link::Link;
use flashwire_plan::Options;
use flashwire_sim::nor;
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::plugged::Plugged;
use flashwire_tests::programmer::{Build, Programmer};
use flashwire_tests::socket::write;

/// The executed programmer may take so much longer than the bench says.
const MOST: f64 = 1.15;

const SPI_HZ: u32 = 18_000_000;

/// Replaces the first `count` bytes of a W25Q64JV through `link`; what it took, from the first word to
/// the programmer on.
fn replace(link: Box<dyn Link>, now: impl Fn() -> Duration, plain: bool, count: usize) -> Duration {
    let begun = now();
    let options = serprog::Options {
        plain,
        spi_hz: Some(SPI_HZ),
        ..serprog::Options::default()
    };
    let client = Client::open(link, options).unwrap();
    let options = spinor::Options::default();
    let mut chip = Chip::open(Box::new(client), &Parts::built_in(), options).unwrap();
    write(&mut chip, 0, &noise(count, 2), &Options::default()).unwrap();
    now() - begun
}

/// The same on both; their ratio.
fn ratio(plain: bool, count: usize) -> f64 {
    let bench = Bench::open("serprog+w25q64jv,latency-us=125");
    bench.fill_nor(&noise(count, 1));
    let said = replace(bench.link(), || bench.now(), plain, count);

    let part = nor::find("w25q64jv").unwrap();
    let mut chip = nor::Chip::new(part, nor::Options::default());
    chip.memory_mut()[..count].copy_from_slice(&noise(count, 1));
    let programmer = Programmer::new(
        Build::DoubleBuffered,
        Config::default(),
        HostConfig::default(),
        chip,
    );
    let plugged = Plugged::new(programmer);
    let now = || plugged.programmer().now().as_duration();
    let took = replace(plugged.link(), now, plain, count);
    let programmer = plugged.programmer();
    assert!(
        programmer.chip.chip().memory()[..count] == noise(count, 2),
        "content"
    );
    assert_eq!(programmer.chip.chip().complaints(), []);

    let ratio = took.as_secs_f64() / said.as_secs_f64();
    println!("plain {plain}, {count} bytes: {took:.2?}, the bench {said:.2?}: {ratio:.3}");
    ratio
}

#[test]
fn a_quarter_of_a_mebibyte_is_replaced_as_fast_as_the_bench_says() {
    for plain in [false, true] {
        assert!(ratio(plain, 256 << 10) <= MOST, "plain {plain}");
    }
}

#[test]
#[ignore = "takes minutes"]
fn eight_mebibytes_are_replaced_as_fast_as_the_bench_says() {
    for plain in [false, true] {
        assert!(ratio(plain, 8 << 20) <= MOST, "plain {plain}");
    }
}
