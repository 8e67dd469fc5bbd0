//! flashwire and its peers, timed side by side: `cargo run --release -p flashwire-benches`.
//!
//! Every row of a table is one run of each tool, one after the other, on benches that are alike:
//! the same simulated board behind the same pseudo-terminal or TCP port in real time. What is timed is the
//! whole process, from its start to its exit. Each run's flash is compared with the image
//! afterwards: a fast tool that writes nonsense is no result.
//!
//! The tables go to `docs/performance.md`. Nothing here is a test: real time depends on the machine
//! and on what else it does. Simulated time does not: `tests/speed`.

#[cfg(target_os = "linux")]
mod emulator;
#[cfg(target_os = "linux")]
mod face_stm32flash;
#[cfg(target_os = "linux")]
mod faces;
#[cfg(target_os = "linux")]
mod footprint;
#[cfg(target_os = "linux")]
mod latency;
#[cfg(target_os = "linux")]
mod planner;
#[cfg(target_os = "linux")]
mod spi;
#[cfg(target_os = "linux")]
mod stm32;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let kept = match words[..] {
        [] => {
            footprint::run()
                & planner::run()
                & emulator::run()
                & stm32::run("")
                & faces::run("")
                & face_stm32flash::run("")
                & spi::run("")
        }
        ["emulator"] => emulator::run(),
        ["face-stm32flash"] => face_stm32flash::run(""),
        ["face-stm32flash", part] => face_stm32flash::run(part),
        ["faces"] => faces::run(""),
        ["faces", part] => faces::run(part),
        ["footprint"] => footprint::run(),
        ["latency"] => latency::run(None),
        ["latency", elf] => latency::run(Some(elf.as_ref())),
        ["planner"] => planner::run(),
        ["spi"] => spi::run(""),
        ["spi", part] => spi::run(part),
        ["stm32"] => stm32::run(""),
        ["stm32", part] => stm32::run(part),
        _ => {
            eprintln!(
                "usage: flashwire-benches [emulator | footprint | planner | latency [ELF FILE] \
                 | (stm32 | spi) [PART OF A JOB'S NAME] | faces [PART OF ITS WORDS] \
                 | face-stm32flash [PART OF A ROW'S NAME]]"
            );
            return std::process::ExitCode::from(2);
        }
    };
    std::process::ExitCode::from(u8::from(!kept))
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the peers run on pseudo-terminals of Linux");
}
