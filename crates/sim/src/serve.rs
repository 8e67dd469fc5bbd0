//! A bench for foreign tools: on a TCP port, a Unix socket or a pseudo-terminal, in real time.
//!
//! Tools come one after the other. What happens between two of them is a rule:
//!
//! * The board keeps its power, as a board on a desk does. What one tool leaves behind (a
//!   synchronised loader, a running program) the next one finds.
//! * Somebody presses the reset button for a tool that wants a fresh loader: if the first byte of a
//!   connection is 0x7F, power goes off and on before the chip sees it. A tool that resumes begins
//!   with another byte and finds everything as it was. The key `button=none` sends that person
//!   away, and a bench whose `wiring` reaches the pins has never needed one.
//! * A pseudo-terminal drops its modem lines when the last tool closes it, as ports do.
//!
//! Speed and format of the wire are the tool's. On a pseudo-terminal the speed is the one that the
//! tool has set there, and the format is taken to be right: Linux keeps no parity for a pty. If the
//! tool runs with the preload library of the tests, which tells of parity and lines over a socket
//! beside the port (`LINK.lines`), both are the tool's word; GPIO lines of the computer are told there
//! too, as of Unix sockets. TCP has no settings at all: the speed is
//! the key `baud`, the format right. The same goes for Unix sockets.
//!
//! A bench on an I2C bus (`bus=i2c`) has no bytes on a wire but transfers: a TCP port or a Unix socket
//! carries them as requests and answers (`docs/simulator.md`). The button is pressed there for a tool that
//! comes while the loader does not run.

mod bus;
mod lines;
mod port;
#[cfg(unix)]
mod pty;
#[cfg(unix)]
mod unix;
mod wait;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use flashwire_link::{CancelFlag, Instant, Settings};
use flashwire_protocol::stm32::SYNC;

use crate::bench::{Bench, BenchError, Button, MAX_BAUD};
use crate::storage::StorageError;
use crate::wire::Lines;
use lines::Event;
pub use port::{Port, Taken};

/// How long before a byte is due at the tool the server stops sleeping and watches the clock: more
/// than a sleep overshoots on an idle Linux.
const WATCH: Duration = Duration::from_micros(100);

/// Bytes that follow each other are handed to the tool together if the first is not held back for
/// longer than this; adapters collect for 1 ms (a USB frame) and more.
const COLLECT: Duration = Duration::from_micros(500);

/// How often the stop flag is looked at when nothing else happens.
const LOOK: Duration = Duration::from_millis(50);

/// How often a port that nobody has open is looked at.
const LOOK_FOR_TOOL: Duration = Duration::from_millis(5);

/// How long a device may be behind in what the tool cannot see yet.
const LATEST: Duration = Duration::from_millis(2);

/// Most bytes kept for a tool that does not read; a port's driver keeps about as many.
const MAX_UNREAD: usize = 64 * 1024;

/// Where a bench is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `tcp:ADDRESS:PORT`; port 0 lets the system choose one.
    Tcp(String),
    /// `unix:PATH`: a Unix stream socket.
    Unix(PathBuf),
    /// `pty:LINK`: a pseudo-terminal, with a symbolic link to it at this path.
    Pty(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Pty(link) => write!(f, "pty:{}", link.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = ServeError;

    fn from_str(text: &str) -> Result<Self, ServeError> {
        match text.split_once(':') {
            Some(("tcp", address)) if address.contains(':') => Ok(Self::Tcp(address.to_owned())),
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("pty", link)) if !link.is_empty() => Ok(Self::Pty(link.into())),
            _ => Err(ServeError::Place(text.to_owned())),
        }
    }
}

/// Why a bench cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The text names no place.
    #[error("\"{0}\" is no place to listen on: write tcp:ADDRESS:PORT, unix:PATH or pty:LINK")]
    Place(String),
    /// The port is taken, the link cannot be made, or the like.
    #[error("cannot listen on {place}: {source}")]
    Listen {
        /// The place.
        place: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is something else where the link was to be.
    #[error("{} exists and is no symbolic link", .0.display())]
    InTheWay(PathBuf),
    /// There is something else where the socket was to be.
    #[error("{} exists and is no socket", .0.display())]
    NoSocket(PathBuf),
    /// Transfers of a bus do not go through a terminal.
    #[error("a bench on an I2C bus has no terminal: listen on unix:PATH or tcp:ADDRESS:PORT")]
    OnABus,
    /// This operating system has no such thing.
    #[error("there are no Unix sockets on this system")]
    NoUnix,
    /// This operating system has no such thing.
    #[error("there are no pseudo-terminals on this system")]
    NoPty,
    /// The port failed while a tool was there.
    #[error("the port failed: {0}")]
    Port(#[from] io::Error),
    /// The bench.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The bench's files.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// When a server ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// After so long without a tool and without work.
    pub idle: Option<Duration>,
    /// When so many tools have come and gone.
    pub tools: Option<u32>,
}

/// A bench that listens.
#[derive(Debug)]
pub struct Server {
    bench: Bench,
    port: Port,
    opened: std::time::Instant,
    /// Whether a tool has the port open.
    tool: bool,
    /// Whether that tool has sent anything yet.
    greeted: bool,
    tools: u32,
    idle_since: std::time::Instant,
    /// The lines of the port, once anything has been told about them.
    lines: Option<Lines>,
    /// Whether the tool has told its settings over the socket.
    told_settings: bool,
    /// What the tool has not read yet.
    unread: Vec<u8>,
    /// What the tool has sent of requests that are not done yet: on a bus.
    requests: Vec<u8>,
    /// Whether the files are behind the device.
    unsaved: bool,
}

impl Server {
    /// Opens a bench by what stands behind `sim:` in a port, and listens.
    ///
    /// # Errors
    /// All of [`ServeError`].
    pub fn open(spec: &str, listen: &Listen) -> Result<Self, ServeError> {
        let bench = Bench::open_with_lines(spec, Lines::default())?;
        if bench.address().is_some() && matches!(listen, Listen::Pty(_)) {
            return Err(ServeError::OnABus);
        }
        let port = Port::open(listen, bench.wire().host_settings().baud)?;
        let now = std::time::Instant::now();
        Ok(Self {
            bench,
            port,
            opened: now,
            tool: false,
            greeted: false,
            tools: 0,
            idle_since: now,
            lines: None,
            told_settings: false,
            unread: Vec::new(),
            requests: Vec::new(),
            unsaved: false,
        })
    }

    /// What a tool is to open: `tcp:ADDRESS:PORT` with the port that the system chose, `unix:PATH`,
    /// or the path of the link.
    pub fn place(&self) -> String {
        self.port.place()
    }

    /// The bench.
    pub fn bench(&self) -> &Bench {
        &self.bench
    }

    /// Serves until the flag is raised or a limit is reached. The bench's files are written when a
    /// tool goes and the device is at rest.
    ///
    /// # Errors
    /// [`ServeError::Port`], [`ServeError::Storage`].
    pub fn run(&mut self, stop: &CancelFlag, limits: Limits) -> Result<(), ServeError> {
        while !stop.is_raised() && !self.is_over(limits) {
            self.turn()?;
        }
        Ok(())
    }

    /// Ends the server: the device ends what it is doing, and the files are written.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn close(self) -> Result<(), StorageError> {
        self.bench.close()
    }

    fn is_over(&self, limits: Limits) -> bool {
        let enough = limits.tools.is_some_and(|most| self.tools >= most);
        let idle = limits
            .idle
            .is_some_and(|longest| !self.tool && self.idle_since.elapsed() >= longest);
        !self.tool && (enough || idle)
    }

    fn now(&self) -> Instant {
        Instant::from_open(self.opened.elapsed())
    }

    /// Waits until something happens, and lets it happen.
    fn turn(&mut self) -> Result<(), ServeError> {
        let until = self.next_stop();
        self.wait(until)?;
        let now = self.now();
        self.bench.wire_mut().advance(now);
        self.check_tool()?;
        self.take_events()?;
        self.take_bytes()?;
        self.give_bytes()?;
        self.save_at_rest()
    }

    /// When the next turn is due at the latest.
    fn next_stop(&self) -> Instant {
        let wire = self.bench.wire();
        let now = self.now();
        let look = if self.tool { LOOK } else { LOOK_FOR_TOOL };
        // What happens inside only has to have happened when the tool can see it.
        let inside = wire.next_inside().map(|at| {
            let slack = wire.back_delay().saturating_sub(2 * WATCH).min(LATEST);
            at + slack
        });
        let visible = wire.next_arrivals(COLLECT);
        [inside, visible, Some(now + look)]
            .into_iter()
            .flatten()
            .fold(now + look, Instant::min)
    }

    /// Sleeps until a moment or until the tool does something. Only for a byte that is due at the
    /// tool the last bit of the way is watched instead of slept.
    fn wait(&mut self, until: Instant) -> io::Result<()> {
        let visible = self.bench.wire().next_arrivals(COLLECT) == Some(until);
        let watch = if visible { WATCH } else { Duration::ZERO };
        let sleep = (until - self.now()).saturating_sub(watch);
        let mut awake = self.port.wait(sleep, self.tool, !self.unread.is_empty())?;
        while visible && !awake && self.now() < until {
            awake = self.port.wait(Duration::ZERO, self.tool, false)?;
            std::hint::spin_loop();
        }
        Ok(())
    }

    /// Notices tools that come and go.
    fn check_tool(&mut self) -> Result<(), ServeError> {
        if self.port.has_tool()? {
            self.tool_is_there();
        } else {
            self.tool_has_gone();
        }
        Ok(())
    }

    fn tool_is_there(&mut self) {
        if !std::mem::replace(&mut self.tool, true) {
            self.greeted = false;
            self.told_settings = false;
            self.bench.wire_mut().discard();
            self.bench.wire_mut().open();
        }
    }

    fn tool_has_gone(&mut self) {
        if !std::mem::replace(&mut self.tool, false) {
            return;
        }
        // Who opens a port and says nothing only looks.
        self.tools += u32::from(self.greeted);
        self.unread.clear();
        self.requests.clear();
        self.idle_since = std::time::Instant::now();
        self.unsaved = true;
        if let Some(lines) = &mut self.lines {
            // A port drops its lines when it is closed; those of the computer are not the port's.
            *lines = Lines {
                dtr: lines.dtr.map(|_| false),
                rts: lines.rts.map(|_| false),
                brk: false,
                ..*lines
            };
            self.bench.wire_mut().set_lines(*lines);
        }
    }

    /// Does what the tool has told over the socket.
    fn take_events(&mut self) -> Result<(), ServeError> {
        while let Some(event) = self.port.next_event()? {
            // The lines of the computer move without anybody at the port.
            if !matches!(event, Event::Gpio { .. }) {
                self.tool_is_there();
            }
            // What it wrote before has to be on the wire first.
            self.take_bytes()?;
            let wire = self.bench.wire_mut();
            match event {
                Event::Settings(settings) if (1..=MAX_BAUD).contains(&settings.baud) => {
                    self.told_settings = true;
                    wire.configure(settings);
                }
                Event::Lines { dtr, rts } => {
                    let lines = self.lines.get_or_insert_default();
                    lines.dtr = Some(dtr);
                    lines.rts = Some(rts);
                    wire.set_lines(*lines);
                }
                Event::Break(brk) => {
                    let lines = self.lines.get_or_insert_default();
                    lines.brk = brk;
                    wire.set_lines(*lines);
                }
                Event::Gpio { line, level } => {
                    let lines = self.lines.get_or_insert_default();
                    lines.gpio[line] = level;
                    wire.set_lines(*lines);
                }
                Event::Settings(_) | Event::Unknown => {}
            }
            let now = self.now();
            self.bench.wire_mut().advance(now);
            self.port.answer_event();
        }
        Ok(())
    }

    /// Puts on the wire what the tool has sent.
    fn take_bytes(&mut self) -> Result<(), ServeError> {
        let mut buffer = [0; 4096];
        loop {
            match self.port.read(&mut buffer)? {
                Taken::Bytes(count) if self.bench.address().is_some() => {
                    self.tool_is_there();
                    self.requests.extend_from_slice(&buffer[..count]);
                    self.do_transfers()?;
                }
                Taken::Bytes(count) => self.send(&buffer[..count]),
                Taken::Nothing => return Ok(()),
                Taken::End => {
                    self.tool_has_gone();
                    return Ok(());
                }
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.tool_is_there();
        // Its settings may be newer than any turn has seen.
        if !self.told_settings
            && let Some(baud) = self.port.baud().filter(|baud| *baud <= MAX_BAUD)
        {
            let settings = self.bench.wire().host_settings();
            self.bench
                .wire_mut()
                .configure(Settings { baud, ..settings });
        }
        let now = self.now();
        self.bench.wire_mut().advance(now);
        if !std::mem::replace(&mut self.greeted, true) && bytes.first() == Some(&SYNC) {
            self.press_button();
        }
        self.bench.wire_mut().push(bytes);
    }

    /// What somebody at the board does for a tool that wants a fresh loader.
    fn press_button(&mut self) {
        let wanted = self.bench.options.button == Button::Sync;
        let wired = self.bench.options.is_wired();
        let now = self.bench.wire().now();
        if let (true, false, Some(chip)) = (wanted, wired, self.bench.chip_mut()) {
            chip.power_on(now);
            let wire = self.bench.wire_mut();
            wire.advance(now);
            wire.discard();
        }
    }

    /// Hands the tool what has arrived.
    fn give_bytes(&mut self) -> Result<(), ServeError> {
        let mut buffer = [0; 4096];
        loop {
            let count = self.bench.wire_mut().pop(&mut buffer);
            if count == 0 {
                break;
            }
            if self.tool {
                self.unread.extend(&buffer[..count]);
            }
        }
        if !self.unread.is_empty() {
            let written = self.port.write(&self.unread)?;
            self.unread.drain(..written);
            let excess = self.unread.len().saturating_sub(MAX_UNREAD);
            self.unread.drain(..excess);
        }
        if self.bench.wire().is_closed() && self.unread.is_empty() {
            self.port.hang_up()?;
            self.bench.wire_mut().plug_in();
            self.tool_has_gone();
        }
        Ok(())
    }

    fn save_at_rest(&mut self) -> Result<(), ServeError> {
        if self.unsaved && self.bench.wire().next_inside().is_none() {
            self.unsaved = false;
            self.bench.save()?;
        }
        Ok(())
    }
}
