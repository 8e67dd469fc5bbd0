//! Finding the highest speed that works.

use flashwire_link::{Link, LinkError};
use flashwire_protocol::stm32::BLOCK_BYTES;

use super::{Bootloader, Error};

/// Speeds worth trying, in baud, in ascending order: what adapters and operating systems commonly
/// have. Beyond 115,200 none is promised by ST (AN3155, section 2.2).
pub const SPEEDS: [u32; 6] = [115_200, 230_400, 460_800, 921_600, 1_000_000, 2_000_000];

/// Reads at each speed that must all be right.
const READS: usize = 4;

impl Bootloader {
    /// Tries `speeds` in ascending order and stays at the highest at which the loader is greeted
    /// and reads from `address` come back right, several times. Nothing is written. A loader
    /// measures the speed once a reset, so `reset` resets the chip into its loader before each
    /// try; it is given the link to move its lines.
    ///
    /// The first speed that does not work ends the search; what was read at the first one that did
    /// is what the others are measured by. The loader is left greeted at the speed returned.
    ///
    /// # Errors
    /// [`Error::NoSpeed`] if none works; what `reset` or the link did. [`Error::ReadProtected`]:
    /// then a speed cannot be checked.
    pub fn find_highest_speed(
        &mut self,
        speeds: &[u32],
        address: u32,
        reset: &mut dyn FnMut(&mut dyn Link) -> Result<(), LinkError>,
    ) -> Result<u32, Error> {
        let mut reference = None;
        let mut best = None;
        for &baud in speeds {
            match self.try_speed(baud, address, &mut reference, reset) {
                Ok(true) => best = Some(baud),
                Ok(false) => break,
                Err(error) => return Err(error),
            }
        }
        let (best, last) = (best.ok_or(Error::NoSpeed)?, self.link.settings().baud);
        if best != last && !self.try_speed(best, address, &mut reference, reset)? {
            return Err(Error::NoSpeed);
        }
        Ok(best)
    }

    /// Whether `baud` works: greeting, and reads that give `reference`, which the first speed that
    /// works sets.
    fn try_speed(
        &mut self,
        baud: u32,
        address: u32,
        reference: &mut Option<[u8; BLOCK_BYTES]>,
        reset: &mut dyn FnMut(&mut dyn Link) -> Result<(), LinkError>,
    ) -> Result<bool, Error> {
        let mut settings = self.link.settings();
        settings.baud = baud;
        match self.link.configure(settings) {
            Err(LinkError::Unsupported(_)) => return Ok(false),
            done => done?,
        }
        reset(&mut *self.link)?;
        let works = self.synchronise().map(drop).and_then(|()| {
            for _ in 0..READS {
                let mut block = [0; BLOCK_BYTES];
                if !self.readable(address, &mut block)? || block != *reference.get_or_insert(block)
                {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        match works {
            Err(error @ (Error::Link(_) | Error::ReadProtected { .. })) => Err(error),
            works => Ok(works.unwrap_or(false)),
        }
    }
}
