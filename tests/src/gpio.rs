//! The GPIO lines of a computer that is not there: what a kernel knows of them, for programs that run
//! under the preload library.
//!
//! The library turns system calls into lines of text on a Unix socket; here they are answered as
//! Linux answers them (`drivers/gpio/gpiolib-cdev.c`, `gpiolib-sysfs.c`), each change is kept with its
//! time, and a bench hears of it. A connection is one open file: when it ends, by whatever end of its
//! program, its lines are released before anybody is answered again.
//!
//! | line | answer behind `ok` |
//! |---|---|
//! | `chip NAME` | label and number of lines |
//! | `open NAME` | |
//! | `line NAME OFFSET` | flags, name and consumer, tabs between them |
//! | `request NAME`, consumer, then `OFFSET FLAGS LEVEL` for each line, tabs between them | |
//! | `set`, then `OFFSET LEVEL` for each line | |
//! | `get`, then `OFFSET` | 0 or 1 |
//! | `configure`, then `OFFSET FLAGS LEVEL` for each line | |
//! | `sysfs stat PATH`, `sysfs open r\|w\|rw PATH` | the mode, in octal; nothing |
//! | `read`, `write TEXT` | the content, without its line end; nothing |
//!
//! Whatever else happens is `error` and an error number.

use std::fmt;
use std::io::{Read, Write};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::{built, preload};

/// The chip that the computer has.
const CHIP: &str = "gpiochip0";

/// How many lines it has.
pub const LINES: u32 = 32;

/// The number of its first line below `/sys/class/gpio`: where current kernels begin to count.
pub const FIRST_NUMBER: u32 = 512;

/// How long a bench may take to hear of a change.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Flags of `include/uapi/linux/gpio.h`.
mod flags {
    pub(super) const USED: u64 = 1;
    pub(super) const ACTIVE_LOW: u64 = 2;
    pub(super) const INPUT: u64 = 4;
    pub(super) const OUTPUT: u64 = 8;
}

/// A computer with a chip `gpiochip0`: lines `GPIO0` to `GPIO31`, inputs that nobody has.
#[derive(Clone, Debug)]
pub struct Computer {
    taken: Vec<(u32, &'static str)>,
    denied: bool,
    sysfs: bool,
    float: bool,
    udev: Duration,
    bench: Option<PathBuf>,
}

impl Default for Computer {
    fn default() -> Self {
        Self {
            taken: Vec::new(),
            denied: false,
            sysfs: true,
            float: false,
            udev: Duration::ZERO,
            bench: None,
        }
    }
}

impl Computer {
    /// A line that somebody else has.
    pub fn taken(mut self, line: u32, by: &'static str) -> Self {
        self.taken.push((line, by));
        self
    }

    /// A chip that its user may not open.
    pub fn denied(mut self) -> Self {
        self.denied = true;
        self
    }

    /// A kernel without `/sys/class/gpio`.
    pub fn without_sysfs(mut self) -> Self {
        self.sysfs = false;
        self
    }

    /// A driver that makes an input of every line that is released, as the Raspberry Pi's does;
    /// others leave it as it was.
    pub fn released_lines_float(mut self) -> Self {
        self.float = true;
        self
    }

    /// A system that takes so long to let its user write to the files of a line.
    pub fn slow_udev(mut self, time: Duration) -> Self {
        self.udev = time;
        self
    }

    /// Lines that lead to the bench whose port is at this path.
    pub fn wired_to(mut self, port: &Path) -> Self {
        self.bench = Some(preload::socket(port));
        self
    }

    /// Switches it on.
    ///
    /// # Panics
    /// If there is no room for a socket.
    pub fn start(self) -> Gpio {
        Gpio::start(self)
    }
}

/// What happened to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody has it now.
    Taken,
    /// It is an output, and high.
    High,
    /// It is an output, and low.
    Low,
    /// It is an input.
    Input,
    /// Nobody has it any more.
    Released,
}

/// Something that happened to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, since the computer was switched on.
    pub at: Duration,
    /// Which line, by its offset.
    pub line: u32,
    /// What.
    pub what: What,
    /// Who had the line.
    pub by: String,
}

impl fmt::Display for Event {
    /// Without its time: `17 high by flashwire`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Taken => "taken",
            What::High => "high",
            What::Low => "low",
            What::Input => "input",
            What::Released => "released",
        };
        write!(f, "{} {what} by {}", self.line, self.by)
    }
}

/// A computer that is switched on, until it is dropped.
#[derive(Debug)]
pub struct Gpio {
    folder: tempfile::TempDir,
    state: Arc<Mutex<State>>,
    server: Option<JoinHandle<()>>,
}

impl Gpio {
    fn start(computer: Computer) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let listener = UnixListener::bind(folder.path().join("gpio")).expect("the name is free");
        let state = Arc::new(Mutex::new(State::new(computer)));
        let served = Arc::clone(&state);
        let server = thread::spawn(move || serve(&listener, &served));
        Self {
            folder,
            state,
            server: Some(server),
        }
    }

    /// Lets the program find these lines.
    ///
    /// # Panics
    /// If the preload library does not build.
    pub fn attach(&self, program: &mut Command) {
        program
            .env("LD_PRELOAD", built::preload_library())
            .env("FLASHWIRE_GPIO", self.socket());
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("gpio")
    }

    /// What has happened since this was last asked, programs that have ended included.
    ///
    /// # Panics
    /// If the computer has crashed.
    pub fn take_events(&self) -> Vec<Event> {
        self.settle();
        std::mem::take(&mut self.state().events)
    }

    /// What has happened since this was last asked, without times.
    ///
    /// # Panics
    /// If the computer has crashed.
    pub fn take_log(&self) -> Vec<String> {
        let events = self.take_events();
        events.iter().map(ToString::to_string).collect()
    }

    /// The level at which a line is driven; `None` for an input.
    ///
    /// # Panics
    /// If the computer has crashed, or has no such line.
    pub fn level(&self, line: u32) -> Option<bool> {
        self.settle();
        self.state().lines[line as usize].output
    }

    /// Whoever is answered knows that all that was closed before is closed.
    fn settle(&self) {
        let mut stream = UnixStream::connect(self.socket()).expect("the computer is on");
        stream.write_all(b"flush\n").expect("the computer is on");
        let mut answer = [0; 3];
        stream.read_exact(&mut answer).expect("the computer is on");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gpio {
    fn drop(&mut self) {
        self.state().off = true;
        // Its thread looks at that as soon as somebody asks for something; gone is gone.
        let _ = UnixStream::connect(self.socket());
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// What the kernel knows.
#[derive(Debug)]
struct State {
    computer: Computer,
    on_since: Instant,
    lines: Vec<Line>,
    events: Vec<Event>,
    off: bool,
}

/// What it knows of a line.
#[derive(Clone, Debug, Default)]
struct Line {
    consumer: Option<String>,
    /// The level of an output; `None` for an input.
    output: Option<bool>,
    active_low: bool,
    /// When it got its files below `/sys/class/gpio`, if it has them.
    exported: Option<Instant>,
}

/// An open file of a program.
#[derive(Debug)]
enum Role {
    /// None yet, or a chip.
    None,
    /// Lines that were requested.
    Request(Vec<u32>),
    /// A file below `/sys/class/gpio`.
    File(String),
}

/// How a wish is answered.
type Answer = Result<String, Errno>;

/// What is wanted of a line.
struct Wish {
    line: u32,
    flags: u64,
    /// Active or not, for an output.
    active: bool,
}

impl Wish {
    /// Reads `OFFSET FLAGS LEVEL`.
    fn parse(text: &str) -> Result<Self, Errno> {
        let mut fields = text.split(' ');
        Ok(Self {
            line: number(fields.next())?,
            flags: number(fields.next())?,
            active: fields.next() == Some("1"),
        })
    }
}

fn number<N: std::str::FromStr>(text: Option<&str>) -> Result<N, Errno> {
    text.and_then(|text| text.parse().ok()).ok_or(Errno::INVAL)
}

impl State {
    fn new(computer: Computer) -> Self {
        let mut lines = vec![Line::default(); LINES as usize];
        for (line, by) in &computer.taken {
            lines[*line as usize].consumer = Some((*by).to_owned());
        }
        Self {
            computer,
            on_since: Instant::now(),
            lines,
            events: Vec::new(),
            off: false,
        }
    }

    /// Answers a line of text.
    fn answer(&mut self, role: &mut Role, text: &str) -> Answer {
        let (verb, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        match verb {
            "flush" => Ok(String::new()),
            "chip" => self.chip(rest).map(|()| format!("simulated {LINES}")),
            "open" if self.computer.denied => Err(Errno::ACCESS),
            "open" => self.chip(rest).map(|()| String::new()),
            "line" => self.line_info(rest),
            "request" => {
                *role = Role::Request(self.request(rest)?);
                Ok(String::new())
            }
            "set" | "get" | "configure" => match role {
                Role::Request(lines) => self.control(verb, rest, lines),
                _ => Err(Errno::INVAL),
            },
            "sysfs" => self.sysfs(role, rest),
            "read" | "write" => match role {
                Role::File(path) if verb == "read" => self.read(path),
                Role::File(path) => self.write(path, rest),
                _ => Err(Errno::BADF),
            },
            _ => Err(Errno::INVAL),
        }
    }

    fn chip(&self, name: &str) -> Result<(), Errno> {
        if name == CHIP {
            Ok(())
        } else {
            Err(Errno::NOENT)
        }
    }

    fn line(&mut self, line: u32) -> Result<&mut Line, Errno> {
        self.lines.get_mut(line as usize).ok_or(Errno::INVAL)
    }

    fn line_info(&mut self, text: &str) -> Answer {
        let (chip, offset) = text.split_once(' ').ok_or(Errno::INVAL)?;
        self.chip(chip)?;
        let offset: u32 = number(Some(offset))?;
        let line = self.line(offset)?;
        let direction = match line.output {
            Some(_) => flags::OUTPUT,
            None => flags::INPUT,
        };
        let used = if line.consumer.is_some() {
            flags::USED
        } else {
            0
        };
        let low = if line.active_low {
            flags::ACTIVE_LOW
        } else {
            0
        };
        let consumer = line.consumer.as_deref().unwrap_or_default();
        let flags = direction | used | low;
        Ok(format!("{flags}\tGPIO{offset}\t{consumer}"))
    }

    /// Gives all of the lines to whoever wants them, or none.
    fn request(&mut self, text: &str) -> Result<Vec<u32>, Errno> {
        let mut fields = text.split('\t');
        self.chip(fields.next().unwrap_or_default())?;
        let consumer = match fields.next() {
            Some("") | None => "?",
            Some(consumer) => consumer,
        };
        let wishes: Vec<Wish> = fields.map(Wish::parse).collect::<Result<_, _>>()?;
        for (index, wish) in wishes.iter().enumerate() {
            check(wish.flags)?;
            let twice = wishes[..index].iter().any(|other| other.line == wish.line);
            if self.line(wish.line)?.consumer.is_some() || twice {
                return Err(Errno::BUSY);
            }
        }
        for wish in &wishes {
            self.take(wish.line, consumer);
            self.configure(wish);
        }
        Ok(wishes.iter().map(|wish| wish.line).collect())
    }

    fn control(&mut self, verb: &str, text: &str, lines: &[u32]) -> Answer {
        if verb == "get" {
            let line = self.line(number(Some(text))?)?;
            let level = line.output.unwrap_or(false);
            return Ok(u8::from(level != line.active_low).to_string());
        }
        for wish in text.split('\t') {
            let wish = if verb == "set" {
                let (line, active) = wish.split_once(' ').ok_or(Errno::INVAL)?;
                let line: u32 = number(Some(line))?;
                let Line {
                    output, active_low, ..
                } = *self.line(line)?;
                // Only an output can be set.
                output.ok_or(Errno::PERM)?;
                let low = if active_low { flags::ACTIVE_LOW } else { 0 };
                Wish {
                    line,
                    flags: flags::OUTPUT | low,
                    active: active == "1",
                }
            } else {
                Wish::parse(wish)?
            };
            check(wish.flags)?;
            if !lines.contains(&wish.line) {
                return Err(Errno::INVAL);
            }
            self.configure(&wish);
        }
        Ok(String::new())
    }

    fn take(&mut self, line: u32, by: &str) {
        self.lines[line as usize].consumer = Some(by.to_owned());
        self.tell(line, What::Taken);
    }

    fn configure(&mut self, wish: &Wish) {
        let active_low = wish.flags & flags::ACTIVE_LOW != 0;
        self.lines[wish.line as usize].active_low = active_low;
        if wish.flags & flags::OUTPUT != 0 {
            self.drive(wish.line, Some(wish.active != active_low));
        } else if wish.flags & flags::INPUT != 0 {
            self.drive(wish.line, None);
        }
    }

    /// Makes a line an output with this level, or an input.
    fn drive(&mut self, line: u32, output: Option<bool>) {
        self.lines[line as usize].output = output;
        let (what, level) = match output {
            Some(true) => (What::High, "1"),
            Some(false) => (What::Low, "0"),
            None => (What::Input, "-"),
        };
        self.tell(line, what);
        if let Some(bench) = &self.computer.bench {
            tell_bench(bench, &format!("gpio {line}={level}"));
        }
    }

    fn release(&mut self, line: u32) {
        if self.computer.float && self.lines[line as usize].output.is_some() {
            self.drive(line, None);
        }
        self.tell(line, What::Released);
        self.lines[line as usize].consumer = None;
        self.lines[line as usize].active_low = false;
    }

    fn tell(&mut self, line: u32, what: What) {
        let by = self.lines[line as usize].consumer.clone();
        self.events.push(Event {
            at: self.on_since.elapsed(),
            line,
            what,
            by: by.unwrap_or_default(),
        });
    }

    /// A program has closed a file.
    fn close(&mut self, role: &Role) {
        if let Role::Request(lines) = role {
            for line in lines {
                self.release(*line);
            }
        }
    }

    /// `stat PATH`, `open r|w|rw PATH`
    fn sysfs(&mut self, role: &mut Role, text: &str) -> Answer {
        if !self.computer.sysfs {
            return Err(Errno::NOENT);
        }
        let (what, path) = text.split_once('/').ok_or(Errno::INVAL)?;
        let mode: u32 = match self.place(path)? {
            Place::Folder => 0o040_755,
            Place::Export | Place::Unexport => 0o100_200,
            Place::Direction(_) | Place::Value(_) => 0o100_644,
        };
        if what == "stat " {
            return Ok(format!("{mode:o}"));
        }
        if let Place::Direction(line) | Place::Value(line) = self.place(path)? {
            let since = self.line(line)?.exported;
            let young = since.is_some_and(|since| since.elapsed() < self.computer.udev);
            if young && what.contains('w') {
                return Err(Errno::ACCESS);
            }
        }
        *role = Role::File(path.to_owned());
        Ok(String::new())
    }

    /// What is at a path below `/sys/class/gpio`.
    fn place(&mut self, path: &str) -> Result<Place, Errno> {
        match path {
            "" => return Ok(Place::Folder),
            "export" => return Ok(Place::Export),
            "unexport" => return Ok(Place::Unexport),
            _ => {}
        }
        let (folder, file) = path.split_once('/').unwrap_or((path, ""));
        let number = folder.strip_prefix("gpio").and_then(|n| n.parse().ok());
        let line = number.and_then(line_of).ok_or(Errno::NOENT)?;
        self.line(line)?.exported.ok_or(Errno::NOENT)?;
        match file {
            "" => Ok(Place::Folder),
            "direction" => Ok(Place::Direction(line)),
            "value" => Ok(Place::Value(line)),
            _ => Err(Errno::NOENT),
        }
    }

    fn read(&mut self, path: &str) -> Answer {
        let content = match self.place(path)? {
            Place::Direction(line) => match self.line(line)?.output {
                Some(_) => "out",
                None => "in",
            },
            Place::Value(line) => match self.line(line)?.output {
                Some(true) => "1",
                _ => "0",
            },
            Place::Folder => return Err(Errno::ISDIR),
            Place::Export | Place::Unexport => return Err(Errno::IO),
        };
        Ok(content.to_owned())
    }

    fn write(&mut self, path: &str, text: &str) -> Answer {
        match self.place(path)? {
            Place::Export => {
                let line = line_of(number(Some(text))?).ok_or(Errno::INVAL)?;
                if self.line(line)?.consumer.is_some() {
                    return Err(Errno::BUSY);
                }
                self.take(line, "sysfs");
                self.line(line)?.exported = Some(Instant::now());
            }
            Place::Unexport => {
                let line = line_of(number(Some(text))?).ok_or(Errno::INVAL)?;
                self.line(line)?.exported.take().ok_or(Errno::INVAL)?;
                self.release(line);
            }
            Place::Direction(line) => match text {
                "in" => self.drive(line, None),
                "out" | "low" => self.drive(line, Some(false)),
                "high" => self.drive(line, Some(true)),
                _ => return Err(Errno::INVAL),
            },
            Place::Value(line) => {
                let value: u32 = number(Some(text))?;
                self.line(line)?.output.ok_or(Errno::PERM)?;
                self.drive(line, Some(value != 0));
            }
            Place::Folder => return Err(Errno::ISDIR),
        }
        Ok(String::new())
    }
}

/// What can be at a path below `/sys/class/gpio`.
enum Place {
    Folder,
    Export,
    Unexport,
    Direction(u32),
    Value(u32),
}

/// The line that has this number below `/sys/class/gpio`.
fn line_of(number: u32) -> Option<u32> {
    let line = number.checked_sub(FIRST_NUMBER)?;
    (line < LINES).then_some(line)
}

/// Refuses flags that contradict each other or are not simulated.
fn check(flags: u64) -> Result<(), Errno> {
    use flags::{ACTIVE_LOW, INPUT, OUTPUT};
    let both = flags & (INPUT | OUTPUT) == INPUT | OUTPUT;
    if both || flags & !(ACTIVE_LOW | INPUT | OUTPUT) != 0 {
        return Err(Errno::INVAL);
    }
    Ok(())
}

/// Lets a bench hear of a line, and waits until it has taken effect.
fn tell_bench(bench: &Path, event: &str) {
    let tell = || {
        let name = format!(
            "flashwire-gpio-{}-{:?}",
            std::process::id(),
            thread::current().id()
        );
        let name = <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?;
        let socket = UnixDatagram::bind_addr(&name)?;
        socket.connect(bench)?;
        socket.set_read_timeout(Some(ANSWER_WITHIN))?;
        socket.send(event.as_bytes())?;
        socket.recv(&mut [0; 64])
    };
    tell().unwrap_or_else(|error| panic!("{} does not hear {event}: {error}", bench.display()));
}

/// An open file, and what has come from it and is not a whole line yet.
struct Connection {
    stream: UnixStream,
    role: Role,
    heard: Vec<u8>,
}

/// Answers everybody until the computer is switched off.
fn serve(listener: &UnixListener, state: &Mutex<State>) {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let ready = look(listener, &connections, None);
        // Who has gone comes first: whoever asks now may want what that one had. A look takes its
        // time, and only a second one is sure to see all that happened before anybody asked.
        let at_once = look(listener, &connections, Some(&Timespec::default()));

        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.off {
            return;
        }
        let gone = |event: &PollFlags| event.contains(PollFlags::HUP);
        for (connection, _) in connections
            .iter()
            .zip(&at_once[1..])
            .filter(|(_, e)| gone(e))
        {
            state.close(&connection.role);
        }
        for (connection, event) in connections.iter_mut().zip(&ready[1..]) {
            if event.contains(PollFlags::IN) {
                connection.hear(&mut state);
            }
        }
        let mut events = at_once[1..].iter();
        connections.retain(|_| !events.next().is_some_and(gone));
        if ready[0].contains(PollFlags::IN)
            && let Ok((stream, _)) = listener.accept()
        {
            let ready = stream.set_nonblocking(true);
            ready.expect("a socket can be asked without waiting");
            connections.push(Connection {
                stream,
                role: Role::None,
                heard: Vec::new(),
            });
        }
    }
}

/// What has happened at the listener, and then at each connection; `None` waits for something.
fn look(
    listener: &UnixListener,
    connections: &[Connection],
    wait: Option<&Timespec>,
) -> Vec<PollFlags> {
    let mut sockets = vec![PollFd::new(listener, PollFlags::IN)];
    let streams = connections.iter().map(|connection| &connection.stream);
    sockets.extend(streams.map(|stream| PollFd::new(stream, PollFlags::IN)));
    match poll(&mut sockets, wait) {
        Ok(_) | Err(Errno::INTR) => sockets.iter().map(PollFd::revents).collect(),
        Err(error) => panic!("poll: {error}"),
    }
}

impl Connection {
    /// Takes what has come, and answers each line.
    fn hear(&mut self, state: &mut State) {
        let mut some = [0; 1024];
        while let Ok(count @ 1..) = self.stream.read(&mut some) {
            self.heard.extend(&some[..count]);
        }
        while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            let text = String::from_utf8_lossy(&line[..end]).into_owned();
            let answer = match state.answer(&mut self.role, &text) {
                Ok(what) if what.is_empty() => "ok".to_owned(),
                Ok(what) => format!("ok {what}"),
                Err(error) => format!("error {}", error.raw_os_error()),
            };
            // Who does not wait for the answer has gone.
            let _ = self.stream.write_all(format!("{answer}\n").as_bytes());
        }
    }
}
