//! A bench in real time, for programs that know nothing of it: on a pseudo-terminal that passes for a
//! serial port, or, if its host is on I2C (`bus=i2c`), on a bus that passes for [`i2c::BUS`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use flashwire_link::CancelFlag;
use flashwire_sim::SimLink;
use flashwire_sim::serve::{Limits, Listen, Server};
use flashwire_sim::stm32::{ChipState, Options};
use tempfile::TempDir;

use crate::{i2c, preload};

/// A bench that is served until [`finish`](Self::finish).
#[derive(Debug)]
pub struct Served {
    folder: TempDir,
    is_bus: bool,
    stop: CancelFlag,
    server: Option<JoinHandle<Remains>>,
}

/// What was on the bench when its server ended.
#[derive(Debug)]
pub struct Remains {
    /// The content of the whole flash.
    pub flash: Vec<u8>,
    /// What the chip was doing.
    pub state: ChipState,
    /// The cells of its option bytes, the protections among them.
    pub options: Vec<u32>,
    /// What the chip held against its hosts.
    pub complaints: Vec<String>,
}

/// How a chip is protected before anybody comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// Not at all, as it is delivered.
    #[default]
    Nothing,
    /// Against reading, at level 1.
    Reading,
    /// Against writing: these codes of the Write Protect command.
    Writing(&'static [u8]),
}

impl Guard {
    /// The state file of a bench whose chip is protected so.
    fn state_of(self, spec: &str) -> String {
        let link = SimLink::open(spec).expect("there is such a bench");
        let part = link.bench().chip().expect("it is an STM32 bench").part();
        let mut options = Options::factory(&part.options);
        match self {
            Self::Nothing => {}
            Self::Reading => options.set_read_protection(&part.options, true),
            Self::Writing(codes) => {
                options.write_protect(&part.options, codes);
            }
        }
        let cells: Vec<_> = options.cells().iter().map(|c| format!("{c:x}")).collect();
        format!(
            "flashwire bench state, version 1\npart: {}\noptions: {}\n",
            part.name,
            cells.join(" ")
        )
    }
}

impl Served {
    /// Serves the bench that stands behind `sim:` in a port. Its flash begins with `content`.
    ///
    /// # Panics
    /// If there is no such bench.
    pub fn open(spec: &str, content: &[u8]) -> Self {
        Self::open_guarded(spec, content, Guard::Nothing)
    }

    /// The same with a chip that is protected from the beginning.
    ///
    /// # Panics
    /// If there is no such bench.
    pub fn open_guarded(spec: &str, content: &[u8], guard: Guard) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let image = folder.path().join("board.bin");
        fs::write(&image, content).expect("there is room for the board's content");
        if guard != Guard::Nothing {
            let state = folder.path().join("board.bin.state");
            fs::write(state, guard.state_of(spec)).expect("there is room for its state");
        }
        let spec = format!("{spec},image={}", image.display());
        let is_bus = spec.split(',').any(|key| key == "bus=i2c");
        let place = folder.path().join("port");
        let listen = match is_bus {
            true => Listen::Unix(place),
            false => Listen::Pty(place),
        };
        let stop = CancelFlag::new();

        // The bench lives in its thread; what is left of it comes back as data.
        let (ready, is_ready) = mpsc::channel();
        let flag = stop.clone();
        let server = thread::spawn(move || {
            let mut server = Server::open(&spec, &listen).expect("the bench can be served");
            ready.send(()).expect("the test waits for it");
            server
                .run(&flag, Limits::default())
                .expect("the port holds");
            let bench = server.bench();
            let chip = bench.chip().expect("it is an STM32 bench");
            Remains {
                flash: bench.flash().to_vec(),
                state: chip.state(),
                options: chip.memory().options.cells().to_vec(),
                complaints: bench.complaints().iter().map(ToString::to_string).collect(),
            }
        });
        is_ready.recv().expect("the bench can be served");
        Self {
            folder,
            is_bus,
            stop,
            server: Some(server),
        }
    }

    /// What a program opens.
    pub fn port(&self) -> PathBuf {
        match self.is_bus {
            true => i2c::BUS.into(),
            false => self.place(),
        }
    }

    /// Where the bench listens: beside it hears of the lines of a computer
    /// ([`wired_to`](crate::gpio::Computer::wired_to)).
    pub fn place(&self) -> PathBuf {
        self.folder.path().join("port")
    }

    /// A path for a file of the test, gone with the bench.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the test.
    ///
    /// # Panics
    /// If that is not possible.
    pub fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, content).expect("there is room for the test's files");
        path
    }

    /// A program that finds the bench at its [`port`](Self::port).
    pub fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.attach(&mut command);
        command
    }

    /// Lets a program find the bench at its [`port`](Self::port): a serial port with parity and modem
    /// lines, or an I2C bus.
    pub fn attach(&self, program: &mut Command) {
        self.attach_with(program, "");
    }

    /// The same, on an I2C bus with a controller that is special in these ways: `,nak=121`, as the
    /// preload library spells it. Serial ports are never special.
    pub fn attach_with(&self, program: &mut Command, keys: &str) {
        if self.is_bus {
            i2c::attach(program, &self.place(), keys);
        } else {
            preload::into(program, &self.place());
        }
    }

    /// Ends the server.
    ///
    /// # Panics
    /// If the server had failed.
    pub fn finish(mut self) -> Remains {
        self.stop.raise();
        let server = self.server.take().expect("it is finished once");
        server.join().expect("the server held until its end")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.raise();
    }
}
