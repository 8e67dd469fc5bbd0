//! Saying more than one phase at once: how much it saves, and that it is never dangerous.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::stm32::{Options, Pipeline};
use flashwire_plan::FlashDevice;
use flashwire_tests::bench::{Bench, noise};

const START: u64 = 0x0800_0000;

fn nothing(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn with(pipeline: Pipeline) -> Options {
    Options {
        pipeline,
        ..Options::default()
    }
}

/// Erases what `data` covers, writes and verifies it; the simulated time of all of it, from the
/// greeting on.
fn write_and_verify(spec: &str, pipeline: Pipeline, data: &[u8], blank: bool) -> Duration {
    let bench = Bench::open(spec);
    let mut target = bench.target(with(pipeline));
    let units: Vec<_> = target.geometry().erase_kinds[0]
        .units(0)
        .filter(|unit| unit.start < START + data.len() as u64)
        .collect();
    target.erase(&units, &mut nothing).unwrap();
    let written = if blank { data.len() / 2 } else { data.len() };
    target
        .program(START, &data[..written], &mut nothing)
        .unwrap();
    assert_eq!(target.compare(START, data, &mut nothing).unwrap(), None);
    assert_eq!(bench.flash()[..data.len()], *data);
    assert_eq!(bench.complaints(), [""; 0]);
    assert!(!target.loader_mut().pipeline_fell_back());
    bench.now()
}

/// What stm32flash 0.7 does for `-w -v`: every phase waits for its ACK, all pages are erased in one
/// list, every block is read back straight after it is written.
fn peer(spec: &str, data: &[u8]) -> Duration {
    let bench = Bench::open(spec);
    let mut loader = bench.loader(with(Pipeline::Off));
    loader.synchronise().unwrap();
    loader.get_version().unwrap();
    loader.get().unwrap();
    loader.get_id().unwrap();
    let unit = bench.chip().part().flash.sectors[0].bytes as usize;
    let pages: Vec<u16> = (0..(data.len() / unit) as u16).collect();
    loader.erase(&pages, Duration::from_secs(60)).unwrap();
    for (n, block) in data.chunks(256).enumerate() {
        let address = START as u32 + n as u32 * 256;
        loader.write_memory(address, block).unwrap();
        let mut found = [0; 256];
        loader.read_memory(address, &mut found).unwrap();
        assert_eq!(found, *block);
    }
    bench.now()
}

#[test]
#[ignore]
fn table() {
    let data = noise(64 * 1024, 1);
    let mut half = data.clone();
    half[32 * 1024..].fill(0xFF);
    for part in ["stm32f103cb", "stm32g0b1re"] {
        for line in ["latency-us=500", "latency-us=0,timer-us=16000"] {
            let spec = format!("{part},{line}");
            let peer = peer(&spec, &data).as_secs_f64();
            print!("{spec}: peer {peer:.2} s");
            for pipeline in [Pipeline::Off, Pipeline::Address, Pipeline::Full] {
                let ours = write_and_verify(&spec, pipeline, &data, false).as_secs_f64();
                print!("  {pipeline:?} {:.3}", ours / peer);
            }
            let ours = write_and_verify(&spec, Pipeline::Address, &half, true).as_secs_f64();
            println!("  half {:.3}", ours / peer);
        }
    }
}
