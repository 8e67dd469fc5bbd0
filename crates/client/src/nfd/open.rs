//! Finding a programmer, and setting its pins.

use flashwire_link::Link;
use flashwire_protocol::nfd::{Command, Request};

use super::{Client, Error};

/// What a host can choose of a programmer. A reset of the board undoes all of it, so it is chosen
/// anew at each opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Arduino pin of the chip select. `None` leaves it as it is.
    pub chip_select: Option<u8>,
    /// Pins that are made outputs.
    pub outputs: Vec<Output>,
}

/// A pin that is made an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// The Arduino pin.
    pub pin: u8,
    /// High or low; `None` leaves the level as it is.
    pub level: Option<bool>,
}

/// The pins that the programmer needs itself: RXD, TXD, MOSI, MISO, SCK of an Arduino Uno or Nano.
const OWN_PINS: [u8; 5] = [0, 1, 11, 12, 13];

impl Client {
    /// Finds the programmer at the other end of an open link, and sets its pins. Takes two greetings
    /// on a board that runs, as long as its boot loader on one that was reset.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] and [`Error::WrongAnswer`] if there is no programmer;
    /// [`Error::PinTaken`], [`Error::Unsupported`] if pins cannot be set so.
    pub fn open(link: Box<dyn Link>, options: Options) -> Result<Self, Error> {
        let pins = options.outputs.iter().map(|output| output.pin);
        let taken = pins
            .chain(options.chip_select)
            .find(|pin| OWN_PINS.contains(pin));
        if let Some(pin) = taken {
            return Err(Error::PinTaken { pin });
        }
        let mut client = Self::on(link, options);
        client.find()?;
        client.patiently(Self::apply_options)?;
        client.is_set_up = true;
        Ok(client)
    }

    /// Sets what the options want. Also after the board may have been reset.
    pub(super) fn apply_options(&mut self) -> Result<(), Error> {
        let outputs = self.options.outputs.clone();
        let outputs = outputs.into_iter().map(|output| {
            let request = Request::output(output.pin, output.level);
            (Command::Output, request)
        });
        let chip_select = self.options.chip_select;
        let chip_select = chip_select.map(|pin| (Command::ChipSelect, Request::chip_select(pin)));
        for (command, request) in outputs.chain(chip_select) {
            if self.try_new(&request)?.is_none() {
                return Err(Error::Unsupported { command });
            }
        }
        Ok(())
    }
}
