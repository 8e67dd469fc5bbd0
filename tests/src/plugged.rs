//! The executed programmer's serial port as a link, so that the client talks to the firmware itself, in
//! emulated time.

use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::time::Duration;

use flashwire_emulator::Time;
use flashwire_emulator::host::HostError;
use flashwire_link::{Deadline, Instant, LineChange, Link, LinkError, Settings};

use crate::programmer::Programmer;

/// Bytes of one write that Linux's cdc_acm sends as one transfer, and how many of these it takes before
/// the writer has to wait: 20 packets and 16 buffers (drivers/usb/class/cdc-acm.h, ACM_NW).
const TRANSFER_BYTES: usize = 20 * 64;
const TRANSFERS: usize = 16;

/// Longest time in which nothing is taken: as a serial port.
const STALLED: Time = Time::from_millis(1000);

/// A programmer at a port; clones are the same one.
#[derive(Clone)]
pub struct Plugged(Rc<RefCell<Programmer>>);

impl Plugged {
    /// Opens the port.
    pub fn new(programmer: Programmer) -> Self {
        Self(Rc::new(RefCell::new(programmer)))
    }

    /// The end that a client talks through.
    pub fn link(&self) -> Box<dyn Link> {
        Box::new(PortLink {
            programmer: Rc::clone(&self.0),
            settings: Settings::plain(115_200),
        })
    }

    /// The programmer, to look at.
    pub fn programmer(&self) -> Ref<'_, Programmer> {
        self.0.borrow()
    }
}

struct PortLink {
    programmer: Rc<RefCell<Programmer>>,
    settings: Settings,
}

fn gone(_: HostError) -> LinkError {
    LinkError::Closed
}

impl Link for PortLink {
    fn name(&self) -> &str {
        "the executed programmer"
    }

    fn now(&self) -> Instant {
        Instant::from_open(self.programmer.borrow().now().as_duration())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let mut programmer = self.programmer.borrow_mut();
        let Programmer { board, port, .. } = &mut *programmer;
        for transfer in bytes.chunks(TRANSFER_BYTES) {
            let mut deadline = board.machine.now() + STALLED;
            while port.unsent() > (TRANSFERS - 1) * TRANSFER_BYTES {
                if board.host.pump(&mut board.machine, port).map_err(gone)? {
                    deadline = board.machine.now() + STALLED;
                } else if board.machine.now() >= deadline {
                    return Err(LinkError::Stalled);
                }
            }
            port.write(transfer);
        }
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        let mut programmer = self.programmer.borrow_mut();
        let Programmer { board, port, .. } = &mut *programmer;
        let end = deadline.moment().since_open();
        while port.available() == 0 && board.machine.now().as_duration() < end {
            board.host.pump(&mut board.machine, port).map_err(gone)?;
        }
        let bytes = port.read_up_to(buffer.len());
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.programmer
            .borrow_mut()
            .pass_with_traffic(Time::from_nanos(nanos));
        Ok(())
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.settings = settings;
        Ok(())
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn lines(&mut self, _: &[LineChange]) -> Result<(), LinkError> {
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.programmer.borrow_mut().port.read();
        Ok(())
    }

    fn real_time(&self) -> bool {
        false
    }
}
