//! Erase and Extended Erase.

use std::time::Duration;

use flashwire_protocol::stm32::{Command, ERASE_PAGES, Frame, SpecialErase};

use super::{Bootloader, Error, Phase, Step};

/// Most pages in one list of Extended Erase: loaders of this length are known to take them all
/// (stm32flash 0.7 splits there; ST's Open Bootloader drops what goes beyond 580).
const EXTENDED_LIST: usize = 511;

impl Bootloader {
    /// The erase command that this loader has; Extended Erase where it lists both. Before
    /// [`get`](Self::get) it is taken to be Extended Erase.
    pub fn erase_command(&self) -> Command {
        let old = self.commands.contains(Command::Erase)
            && !self.commands.contains(Command::ExtendedErase);
        if old {
            Command::Erase
        } else {
            Command::ExtendedErase
        }
    }

    /// Most pages that [`erase`](Self::erase) takes at once.
    pub fn erase_list_pages(&self) -> usize {
        match self.erase_command() {
            Command::Erase => ERASE_PAGES,
            _ => EXTENDED_LIST,
        }
    }

    /// Erase or Extended Erase: erases pages (sectors, where the part has those), which takes
    /// `most` at most. AN3155, sections 3.7 and 3.8. An ACK is no proof: loaders acknowledge pages
    /// that are write protected.
    ///
    /// # Errors
    /// [`Error::Nack`], [`Error::Timeout`], [`Error::Unexpected`]; [`Error::BadPage`] and
    /// [`Error::BadList`] where the loader's command cannot carry the list.
    pub fn erase(&mut self, pages: &[u16], most: Duration) -> Result<(), Error> {
        let command = self.erase_command();
        let list = match command {
            Command::Erase => {
                let narrow = |&page: &u16| {
                    let page = u32::from(page);
                    u8::try_from(page).map_err(|_| Error::BadPage { command, page })
                };
                let pages: Vec<u8> = pages.iter().map(narrow).collect::<Result<_, _>>()?;
                Frame::erase(&pages)
            }
            _ => Frame::extended_erase(pages),
        };
        let fits = pages.len() <= self.erase_list_pages();
        let list = list.filter(|_| fits).ok_or(Error::BadList {
            command,
            pages: pages.len(),
        })?;
        self.erase_frame(command, &list, most)
    }

    /// Erases everything or a bank, which takes `most` at most. With Erase only
    /// [`SpecialErase::Mass`] is possible. AN3155, sections 3.7 and 3.8.
    ///
    /// # Errors
    /// [`Error::Nack`] where the loader cannot do it (L0, L1; banks of parts that have one),
    /// [`Error::Timeout`], [`Error::Unexpected`], [`Error::Unsupported`].
    pub fn special_erase(&mut self, erase: SpecialErase, most: Duration) -> Result<(), Error> {
        let command = self.erase_command();
        let frame = match (command, erase) {
            (Command::Erase, SpecialErase::Mass) => Frame::global_erase(),
            (Command::Erase, _) => {
                return Err(Error::Unsupported {
                    command: Command::ExtendedErase,
                });
            }
            _ => Frame::special_erase(erase),
        };
        self.erase_frame(command, &frame, most)
    }

    fn erase_frame(
        &mut self,
        command: Command,
        frame: &Frame,
        most: Duration,
    ) -> Result<(), Error> {
        self.begin()?;
        self.opcode(command, &mut [])?;
        self.work(Step::of(command, Phase::Pages), frame, most)?;
        self.finish();
        Ok(())
    }
}
