//! One module a command, or a few that belong together.

mod ask;
mod doctor;
mod erase;
pub(crate) mod files;
mod firmware;
mod image;
mod info;
mod list;
mod papers;
mod read;
mod regions;
mod run;
mod sim;
mod spi;
mod stamp;
mod stm32;
mod target;
mod write;

use flashwire::{Error, Exit};

use crate::args::{Command, ImageCommand};
use crate::screen::Screen;

/// Does what the command line asks for, and says with which exit status to end.
pub(crate) fn run(command: Command, screen: &Screen) -> Result<Exit, Error> {
    let done = match command {
        Command::Doctor(args) => return doctor::doctor(&args, screen),
        Command::List(args) => list::list(&args, screen),
        Command::Info(args) => info::info(&args, screen),
        Command::Write(args) => write::write(&args, screen),
        Command::Read(args) => read::read(&args, screen),
        Command::Verify(args) => write::verify(&args, screen),
        Command::Erase(args) => erase::erase(&args, screen),
        Command::Run(args) => run::run(&args, screen),
        Command::Reset(args) => run::reset(&args, screen),
        Command::Stm32(command) => stm32::run(&command, screen),
        Command::Spi(command) => spi::run(&command, screen),
        Command::Firmware(command) => firmware::run(&command, screen),
        Command::Sim(args) => sim::serve(&args, screen),
        Command::Image(ImageCommand::Info(args)) => image::info(&args, screen),
        Command::Image(ImageCommand::Convert(args)) => image::convert(&args, screen),
        Command::Image(ImageCommand::Merge(args)) => image::merge(&args, screen),
        // They end with the originals' exit codes, and have been run before.
        Command::Stm32flash(_) | Command::Stm32loader(_) | Command::SpiFlashProgrammer(_) => Ok(()),
        Command::Explain(args) => papers::explain(&args, screen),
        Command::Completions(args) => papers::completions(&args, screen),
        Command::Man(args) => papers::man(&args, screen),
    };
    done.map(|()| Exit::Done)
}
