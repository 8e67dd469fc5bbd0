//! The protocol of nfd's Arduino SPI flash programmer from the host's side.
//!
//! There is no document but the sketch itself (nfd/spi-flash-programmer, commits 3df69c7 of 2018 to
//! bca76ea of 2024), whose version text is the same throughout: what a firmware can do is found by
//! trying. [`Client::open`] finds the programmer, [`Chip::open`] the chip behind it, a
//! [`FlashDevice`](flashwire_plan::FlashDevice) that knows two ways to erase, moves whole pages, and
//! compares by the CRC that the programmer computes.
//!
//! What the sketch does, and how it is met:
//!
//! | habit | how it is met |
//! |---|---|
//! | opening the port resets the board, which then waits in its boot loader | it is greeted until it answers, 3 s long; then DTR is dropped, for boards that hang |
//! | a half-sent argument is waited for without end | a line end draws `!` there and nothing elsewhere |
//! | what is no command is ignored in silence | a command that may be missing is followed by `>`: the greeting comes either way |
//! | a receive ring of 64 bytes, nothing read while the chip works | at most 63 bytes go out behind a command that was not answered |
//! | an erase or program of a chip that ignores it is answered like any other | a page that was not blank is looked at after each erase, and a page of each sector after it was programmed |
//! | addresses travel without a check value | the same |
//! | without a chip `w`, `k` and `n` never end | [`Error::Hung`] |
//! | status registers 1 and 2 are written too fast one after the other | the registers are read after it, and it is done again |
//! | 35h is sent with every question for the status | chips that take it for something else are not asked |
//!
//! | file | what |
//! |---|---|
//! | `open` | finding the programmer, its pins |
//! | `exchange` | commands sent ahead of their answers |
//! | `resynchronise` | back in step |
//! | `ask` | commands one at a time |
//! | `chip` | the chip as a `FlashDevice` |
//! | `pages` | reading, and comparing by CRCs |
//! | `change` | erasing and programming |
//! | `protection` | status registers |

mod ask;
mod change;
mod chip;
mod error;
mod exchange;
mod open;
mod pages;
mod protection;
mod resynchronise;

pub use chip::{Chip, ChipOptions, Identity};
pub use error::Error;
pub use exchange::Client;
pub use flashwire_protocol::nfd::{ADDRESS_END, BAUD, Command};
pub use open::{Options, Output};
pub use protection::Status;
