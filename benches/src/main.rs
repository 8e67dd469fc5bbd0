//! flashwire and its peers, timed side by side: `cargo run --release -p flashwire-benches`.
//!
//! Every row of a table is one run of each tool, one after the other, on benches that are alike:
//! the same simulated board behind the same pseudo-terminal in real time. What is timed is the
//! whole process, from its start to its exit. Each run's flash is compared with the image
//! afterwards: a fast tool that writes nonsense is no result.
//!
//! The tables go to `docs/performance.md`. Nothing here is a test: real time depends on the machine
//! and on what else it does. Simulated time does not: `tests/speed`.

#[cfg(target_os = "linux")]
mod footprint;
#[cfg(target_os = "linux")]
mod stm32;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let all = ["stm32", "footprint"];
    if let Some(unknown) = chosen.iter().find(|name| !all.contains(&name.as_str())) {
        eprintln!("there is no bench {unknown}; there are: {}", all.join(", "));
        return std::process::ExitCode::from(2);
    }
    let asked_for = |name: &str| chosen.is_empty() || chosen.iter().any(|c| c == name);
    let mut kept = true;
    if asked_for("stm32") {
        kept &= stm32::run();
    }
    if asked_for("footprint") {
        kept &= footprint::run();
    }
    std::process::ExitCode::from(u8::from(!kept))
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the peers run on pseudo-terminals of Linux");
}
