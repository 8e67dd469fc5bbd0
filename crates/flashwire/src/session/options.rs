//! Option bytes of an STM32: shown and changed.

use flashwire_client::stm32::{OptionBlock, OptionBytes};

use super::Session;
use super::protection::COMES_BACK;
use crate::error::{Access, Error, Problem};
use crate::watch::Watcher;

impl Session {
    /// The option bytes, as they stand in memory and taken apart.
    ///
    /// # Errors
    /// The flash is read protected, this part does not show its option bytes, or the link failed.
    pub fn option_bytes(&mut self) -> Result<OptionBytes, Error> {
        self.check_accessible(Access::Read)?;
        let target = self.stm32()?;
        let identity = target.identity().clone();
        let options = target.loader_mut().option_bytes(&identity);
        let options = options.map_err(|error| self.on_port(error))?;
        options.ok_or_else(|| {
            let part = identity.part.name;
            self.on_port(Problem::OptionsUnknown { part })
        })
    }

    /// Gives fields of the option bytes new values, by name; the chip resets itself for each area
    /// that changes. Returns the option bytes as they are then. The read protection is not changed
    /// this way: [`readout_protect`](Self::readout_protect) is.
    ///
    /// # Errors
    /// No such field, or a value that does not fit; the chip did not take it or did not come back; as
    /// [`option_bytes`](Self::option_bytes).
    pub fn set_option_bytes(
        &mut self,
        changes: &[(String, u32)],
        watcher: &mut dyn Watcher,
    ) -> Result<OptionBytes, Error> {
        let before = self.option_bytes()?;
        let wanted = before.with(changes).map_err(Problem::from)?;
        self.write_options(&before, &wanted, watcher)
    }

    /// Replaces a whole area of option bytes, complements and all, as a file of another tool has it.
    ///
    /// # Errors
    /// Not a whole area, or one with another read protection; as
    /// [`set_option_bytes`](Self::set_option_bytes).
    pub fn write_option_bytes(
        &mut self,
        address: u64,
        bytes: &[u8],
        watcher: &mut dyn Watcher,
    ) -> Result<OptionBytes, Error> {
        let before = self.option_bytes()?;
        let address = u32::try_from(address).unwrap_or(u32::MAX);
        let wanted = before.with_block(address, bytes).map_err(Problem::from)?;
        self.write_options(&before, &wanted, watcher)
    }

    fn write_options(
        &mut self,
        before: &OptionBytes,
        wanted: &OptionBytes,
        watcher: &mut dyn Watcher,
    ) -> Result<OptionBytes, Error> {
        let blocks: Vec<OptionBlock> = wanted.changed(before).cloned().collect();
        for block in &blocks {
            let done = self.stm32()?.loader_mut().write_option_bytes(block);
            done.map_err(|error| {
                let state = "the option bytes may be as before, erased, or as wanted";
                self.interrupted(error, state)
            })?;
            self.come_back(COMES_BACK, "the option bytes are written", watcher)?;
        }
        let now = if blocks.is_empty() {
            before.clone()
        } else {
            self.option_bytes()?
        };
        // Complements are the hardware's business: what counts are the values.
        self.check_took(
            now.fields == wanted.fields,
            "the change of the option bytes",
        )?;
        Ok(now)
    }
}
