//! Serves a bench: `serve BENCH tcp:ADDRESS:PORT|pty:LINK [SECONDS]`.
//!
//! Prints what a tool is to open, serves until nobody has come for so many seconds (10 unless
//! given), and prints the bench's complaints.

use std::error::Error;
use std::time::Duration;

use flashwire_link::CancelFlag;
use flashwire_sim::serve::{Limits, Listen, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bench, place, rest @ ..] = arguments.as_slice() else {
        return Err("usage: serve BENCH tcp:ADDRESS:PORT|pty:LINK [SECONDS]".into());
    };
    let seconds = rest.first().map_or(Ok(10), |text| text.parse())?;
    let listen: Listen = place.parse()?;
    let mut server = Server::open(bench, &listen)?;
    println!("{}", server.place());
    let limits = Limits {
        idle: Some(Duration::from_secs(seconds)),
        tools: None,
    };
    server.run(&CancelFlag::new(), limits)?;
    for complaint in server.bench().complaints() {
        println!("{complaint}");
    }
    if let Some(chip) = server.bench().chip() {
        println!("{:?}", chip.state());
    }
    server.close()?;
    Ok(())
}
