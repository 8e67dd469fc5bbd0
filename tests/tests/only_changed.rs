//! Writing only what changed, where the loader can compute checksums.

use std::ops::ControlFlow;

use flashwire_client::stm32::Options;
use flashwire_plan::image::Image;
use flashwire_plan::{Event, FlashDevice, Look, execute, needs, plan, survey};
use flashwire_tests::bench::{Bench, noise};

fn go_on(_: &Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn one_changed_page_is_found_by_checksums_and_little_is_read() {
    const START: u64 = 0x0800_0000;
    let old = noise(64 * 1024, 21);
    let mut new = old.clone();
    new[0xABCD] ^= 0x10;
    let bench = Bench::open("stm32g0b1re,latency-us=500");
    bench.fill_flash(&old);
    let mut target = bench.target(Options::default());
    let image = Image::from_binary(new.clone(), Some(START)).unwrap();
    let options = flashwire_plan::Options {
        only_changed: true,
        ..flashwire_plan::Options::default()
    };

    let geometry = target.geometry().clone();
    let needs = needs(&geometry, &image, &options).unwrap();
    assert!(needs.iter().all(|need| need.look == Look::Compare));
    let before = bench.received();
    let current = survey(&mut target, &needs, &image, &mut go_on).unwrap();
    let plan = plan(&geometry, &image, &current, &options).unwrap();
    let page = START + 0xA800..START + 0xB000;
    let units: Vec<_> = plan.erase_units().iter().map(|unit| unit.range()).collect();
    assert_eq!(units, std::slice::from_ref(&page));
    assert!(execute(&plan, &mut target, &mut go_on).unwrap().verified);

    assert_eq!(bench.flash()[..new.len()], new);
    // Two readings of one block to try the checksum, ten checksums, the ACKs of eight blocks.
    let received = bench.received() - before;
    assert!(received < 2048, "{received} bytes came back");
    assert_eq!(bench.complaints(), [""; 0]);
}
