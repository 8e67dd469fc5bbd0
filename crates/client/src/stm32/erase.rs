//! Erase, Extended Erase and No-Stretch Erase.

use std::time::Duration;

use flashwire_protocol::stm32::{Command, ERASE_PAGES, Frame, SpecialErase};

use super::{Bootloader, Error, Phase, Step};

/// Most pages in one list of Extended Erase: loaders of this length are known to take them all
/// (stm32flash 0.7 splits there; ST's Open Bootloader drops what goes beyond 580).
const EXTENDED_LIST: usize = 511;

impl Bootloader {
    /// The erase command that this loader has; Extended Erase where it lists both, and in its place
    /// the one that does not hold the clock of a bus where it lists that. Before [`get`](Self::get)
    /// it is taken to be Extended Erase.
    pub fn erase_command(&self) -> Command {
        let old = self.commands.contains(Command::Erase)
            && !self.commands.contains(Command::ExtendedErase);
        if old {
            Command::Erase
        } else {
            self.gentle(Command::ExtendedErase)
        }
    }

    /// Most pages that [`erase`](Self::erase) takes at once. Where the clock of a bus is held
    /// meanwhile it is one, for controllers do not wait long.
    pub fn erase_list_pages(&self) -> usize {
        let command = self.erase_command();
        let most = match command {
            _ if self.options.interface.is_held_by(command) => 1,
            Command::Erase => ERASE_PAGES,
            _ => EXTENDED_LIST,
        };
        most.min(self.options.frame.erase_pages()).max(1)
    }

    /// Erases pages (sectors, where the part has those), which takes `most` at most. AN3155, sections
    /// 3.7 and 3.8; AN4221, sections 2.7 and 2.13. An ACK is no proof: loaders acknowledge pages
    /// that are write protected.
    ///
    /// # Errors
    /// [`Error::Nack`], [`Error::Timeout`], [`Error::Unexpected`]; [`Error::BadPage`] and
    /// [`Error::BadList`] where the loader's command cannot carry the list.
    pub fn erase(&mut self, pages: &[u16], most: Duration) -> Result<(), Error> {
        let command = self.erase_command();
        let announced = self.options.interface.announces_lists;
        let list = match command {
            Command::Erase => {
                let narrow = |&page: &u16| {
                    let page = u32::from(page);
                    u8::try_from(page).map_err(|_| Error::BadPage { command, page })
                };
                let pages: Vec<u8> = pages.iter().map(narrow).collect::<Result<_, _>>()?;
                Frame::erase(&pages)
            }
            _ if announced => Frame::page_list(pages),
            _ => Frame::extended_erase(pages),
        };
        let fits = pages.len() <= EXTENDED_LIST;
        let bad_list = || Error::BadList {
            command,
            pages: pages.len(),
        };
        let list = list.filter(|_| fits).ok_or_else(bad_list)?;
        let mut count = None;
        if announced {
            count = Some(Frame::page_count(pages.len()).ok_or_else(bad_list)?);
        }
        self.erase_frames(command, count.as_ref(), &list, most)
    }

    /// Erases everything or a bank, which takes `most` at most. With Erase only
    /// [`SpecialErase::Mass`] is possible. AN3155, sections 3.7 and 3.8; AN4221, sections 2.7 and
    /// 2.13.
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
        self.erase_frames(command, None, &frame, most)
    }

    /// The command, the count of the pages where that is said by itself, and what is to be erased.
    fn erase_frames(
        &mut self,
        command: Command,
        count: Option<&Frame>,
        pages: &Frame,
        most: Duration,
    ) -> Result<(), Error> {
        self.begin()?;
        self.opcode(command)?;
        if let Some(count) = count {
            self.phase(Step::of(command, Phase::Count), count)?;
        }
        self.work(Step::of(command, Phase::Pages), pages, most)?;
        self.finish();
        Ok(())
    }
}
