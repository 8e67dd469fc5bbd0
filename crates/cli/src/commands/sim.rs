//! `flashwire sim`

use flashwire::{CancelFlag, Error, bench};

use crate::args::SimArgs;
use crate::json::ServedObject;
use crate::screen::Screen;
use crate::signals;

/// Serves a bench until it is stopped.
pub(crate) fn serve(args: &SimArgs, screen: &Screen) -> Result<(), Error> {
    let stop = CancelFlag::new();
    let server = bench::Server::open(&args.bench, &args.listen)?;
    signals::raise_on_signals(&stop, screen, "");
    let place = server.place();
    screen.say(&format!("{} is at {place}; Ctrl-C ends it", args.bench));
    if screen.args.json {
        screen.object(&ServedObject {
            schema: "flashwire/sim/1",
            place,
        })?;
    }
    server.run(&stop)
}
