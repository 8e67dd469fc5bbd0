//! `i2c BUS@ADDRESS TRANSFER...` does transfers with a device on a bus, one after the other: `w:01fe`
//! writes those bytes, `r:3` reads three. `i2c BUS` asks every address whether a device is there.

use std::error::Error;
use std::time::Duration;

use flashwire_link::{Link, i2c};

/// How long a device may leave its address unacknowledged before a read.
const PATIENCE: Duration = Duration::from_millis(50);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, transfers @ ..] = &arguments[..] else {
        return Err("usage: i2c BUS@ADDRESS TRANSFER... | i2c BUS".into());
    };
    let Some((bus, address)) = port.split_once('@') else {
        for address in i2c::scan(port)? {
            println!("{address}");
        }
        return Ok(());
    };
    let mut link = i2c::open(bus, address.parse()?)?;
    for transfer in transfers {
        let done = match transfer.split_once(':') {
            Some(("w", bytes)) => link.send(&bytes_of(bytes)?).map(|()| "written".to_owned()),
            Some(("r", count)) => {
                let mut buffer = vec![0; count.parse()?];
                let deadline = link.deadline(PATIENCE);
                link.recv(&mut buffer, deadline)
                    .map(|count| format!("{:02x?}", &buffer[..count]))
            }
            _ => return Err(format!("`{transfer}` is no transfer").into()),
        };
        match done {
            Ok(done) => println!("{transfer}: {done}"),
            Err(error) => println!("{transfer}: {error:?}: {error}"),
        }
    }
    Ok(())
}

fn bytes_of(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}
