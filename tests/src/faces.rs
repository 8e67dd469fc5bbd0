//! The original of a face and the face itself, doing the same job on two equal boards.
//!
//! A [`Row`] says what is done, in the words of the original's command line; [`Row::check`] has both
//! do it, each in a folder of its own with the same files, on a board of its own with the same
//! content, and compares what is left: exit codes, flash, option bytes, what the chip does, and
//! every file in the folder. Where the two differ on purpose the row says what, and why.
//!
//! Both run unmodified, at 8E1 and with modem lines, through the preload library.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flashwire_sim::stm32::{ChipState, Phase};

use crate::board::{Board, F103, assert_same_flash};
use crate::desk::{self, Desk, Ended};
use crate::gpio::{self, Computer, What};
use crate::served::{Guard, Remains, Served};
use crate::{built, judge};

/// A tool that flashwire has a face of.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// What it is called, and so the face.
    pub name: &'static str,
    /// Where the original is.
    pub original: fn() -> PathBuf,
}

/// stm32flash 0.7.
pub const STM32FLASH: Tool = Tool {
    name: "stm32flash",
    original: judge::stm32flash,
};

/// stm32loader 0.7.1.
pub const STM32LOADER: Tool = Tool {
    name: "stm32loader",
    original: judge::stm32loader,
};

/// A job that the original and our face do on equal boards.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What the documentation calls it: its tables refer to rows by this name.
    pub name: &'static str,
    /// The board.
    pub board: Board,
    /// More keys for its bench, each with its comma: `,wiring=dtr-nrst+rts-boot0,button=none`.
    pub keys: &'static str,
    /// What its flash holds before.
    pub before: fn(&Board) -> Vec<u8>,
    /// How it is protected before.
    pub guard: Guard,
    /// The files in the folder.
    pub files: &'static [File],
    /// What is done, one after the other on the same board.
    pub runs: &'static [Run],
    /// What both print, so that who looks for it finds it: pieces of standard output and error.
    pub both_say: &'static [&'static str],
    /// What of our board's complaints is in the nature of the job: pieces of them, as "crashed:" for
    /// a reset into a flash without a program.
    pub may_complain: &'static [&'static str],
    /// Whether the last run's standard output is data, and so the same.
    pub prints_data: bool,
    /// Whether the board hangs on GPIO lines of the computer ([`gpio`]), which are then
    /// to be moved alike.
    pub gpio: bool,
    /// Whether the chip resets itself at the end: the original leaves its loader ungreeted, ours has
    /// greeted it again to see what has become of the chip.
    pub resets_itself: bool,
    /// Where the two differ on purpose.
    pub differs: Option<Difference>,
}

/// A file of a row: its name, and what is in it.
pub type File = (&'static str, fn() -> Vec<u8>);

/// One command of a row.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What is run: the words after the tool's name, separated by blanks, or a script. `port` is
    /// the board, other names are files of the folder.
    pub job: Job,
    /// What is on standard input.
    pub input: Option<fn() -> Vec<u8>>,
    /// The original's exit code.
    pub original: i32,
    /// Our face's exit code.
    pub ours: i32,
}

/// What one command of a row is.
#[derive(Clone, Copy, Debug)]
pub enum Job {
    /// The tool with these words.
    Words(&'static str),
    /// A shell script that finds the tool under its name.
    Script(&'static str),
}

/// How our face differs from the original on purpose.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// Why.
    pub why: &'static str,
    /// What ours says about it: a piece of its standard error.
    pub ours_says: &'static str,
    /// What our board's flash holds afterwards.
    pub ours_leaves: fn(&Board) -> Vec<u8>,
}

impl Run {
    /// Both end with this exit code.
    pub const fn both(words: &'static str, code: i32) -> Self {
        Self::apart(words, code, code)
    }

    /// The original ends with one exit code and ours with another.
    pub const fn apart(words: &'static str, original: i32, ours: i32) -> Self {
        Self {
            job: Job::Words(words),
            input: None,
            original,
            ours,
        }
    }

    /// A script that ends with 0 for both.
    pub const fn script(text: &'static str) -> Self {
        Self {
            job: Job::Script(text),
            input: None,
            original: 0,
            ours: 0,
        }
    }

    /// The same with this on standard input.
    pub const fn fed(self, input: fn() -> Vec<u8>) -> Self {
        Self {
            input: Some(input),
            ..self
        }
    }
}

/// What one side has done.
struct Side {
    ended: Vec<Ended>,
    remains: Remains,
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// What was done to GPIO lines.
    lines: Vec<String>,
    /// How long the last run took.
    took: Duration,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Original,
    Ours,
}

impl Row {
    /// A row on an F103 with a program in it, to be completed.
    pub const ON_F103: Self = Self {
        name: "",
        board: F103,
        keys: "",
        before: Board::old_content,
        guard: Guard::Nothing,
        files: &[],
        runs: &[],
        both_say: &[],
        may_complain: &[],
        prints_data: false,
        gpio: false,
        resets_itself: false,
        differs: None,
    };

    /// Has both do the job and compares.
    ///
    /// # Panics
    /// If they do not end as the row says; with all that both said.
    #[track_caller]
    pub fn check(&self, tool: Tool) {
        let (original, ours) = thread::scope(|scope| {
            let original = scope.spawn(|| self.run(tool, Who::Original));
            let ours = self.run(tool, Who::Ours);
            let original = original.join().unwrap_or_else(|cause| {
                std::panic::resume_unwind(cause);
            });
            (original, ours)
        });
        let told = format!(
            "row \"{}\"\n--- {} said\n{}--- ours said\n{}---",
            self.name,
            tool.name,
            original.said(),
            ours.said()
        );
        let codes = |code: fn(&Run) -> i32| self.runs.iter().map(code).map(Some).collect();
        let expected: (Vec<_>, Vec<_>) = (codes(|run| run.original), codes(|run| run.ours));
        assert_eq!(
            (original.codes(), ours.codes()),
            expected,
            "exit codes\n{told}"
        );
        for words in self.both_say {
            assert!(original.said().contains(words), "{words:?}\n{told}");
            assert!(ours.said().contains(words), "{words:?}\n{told}");
        }
        if self.runs.iter().all(|run| run.ours == 0) {
            let expected = |text: &&str| self.may_complain.iter().any(|part| text.contains(part));
            let complaints: Vec<_> = ours.complaints().filter(|text| !expected(text)).collect();
            assert_eq!(complaints, [""; 0], "complaints\n{told}");
        }
        match &self.differs {
            None => self.check_same(&original, &ours, &told),
            Some(difference) => self.check_difference(difference, &original, &ours, &told),
        }
    }

    /// Has one after the other do the job, and tells how long the last run of each took: the original,
    /// then ours.
    ///
    /// # Panics
    /// If one of them does not end as the row says, or their flashes differ.
    #[track_caller]
    pub fn time(&self, tool: Tool) -> (Duration, Duration) {
        let original = self.run(tool, Who::Original);
        let ours = self.run(tool, Who::Ours);
        for (side, code) in [
            (&original, (|run| run.original) as fn(&Run) -> i32),
            (&ours, |run| run.ours),
        ] {
            let codes: Vec<_> = self.runs.iter().map(code).map(Some).collect();
            assert_eq!(
                side.codes(),
                codes,
                "row \"{}\"\n{}",
                self.name,
                side.said()
            );
        }
        assert_same_flash(&ours.remains.flash, &original.remains.flash);
        (original.took, ours.took)
    }

    fn check_same(&self, original: &Side, ours: &Side, told: &str) {
        let is_apart = |run: &&Run| run.original != run.ours;
        assert!(
            !self.runs.iter().any(|run| is_apart(&run)),
            "row \"{}\" ends differently and does not say why",
            self.name
        );
        eprintln!("{told}");
        assert_same_flash(&ours.remains.flash, &original.remains.flash);
        assert_eq!(
            ours.remains.options, original.remains.options,
            "option bytes\n{told}"
        );
        // Who fails may have got as far as greeting the loader, or not.
        let failed = self.runs.iter().any(|run| run.ours != 0);
        let doing = |side: &Side| {
            let doing = doing(&side.remains);
            let is_loader = doing.starts_with(if failed { LOADER } else { WAITING });
            if is_loader && (failed || self.resets_itself) {
                LOADER.to_owned()
            } else {
                doing
            }
        };
        assert_eq!(doing(ours), doing(original), "state\n{told}");
        assert_eq!(ours.lines, original.lines, "GPIO lines\n{told}");
        let names = |side: &Side| side.files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(ours), names(original), "files\n{told}");
        for (name, content) in &original.files {
            let same = ours.files.get(name) == Some(content);
            assert!(same, "{} differs\n{told}", name.display());
        }
        if self.prints_data {
            let data = |side: &Side| side.ended.last().map(|ended| ended.out.clone());
            assert!(data(ours) == data(original), "data differs\n{told}");
        }
    }

    fn check_difference(&self, difference: &Difference, original: &Side, ours: &Side, told: &str) {
        let Difference {
            why,
            ours_says,
            ours_leaves,
        } = difference;
        assert!(ours.said().contains(ours_says), "{ours_says:?}\n{told}");
        eprintln!("{told}");
        assert_same_flash(&ours.remains.flash, &ours_leaves(&self.board));
        let differ = ours.codes() != original.codes()
            || ours.remains.flash != original.remains.flash
            || ours.remains.options != original.remains.options
            || doing(&ours.remains) != doing(&original.remains)
            || ours.files != original.files;
        assert!(differ, "they do not differ, although: {why}\n{told}");
    }

    /// One side does the job.
    fn run(&self, tool: Tool, who: Who) -> Side {
        let spec = format!("{}{}", self.board.bench, self.keys);
        let board = Served::open_guarded(&spec, &(self.before)(&self.board), self.guard);
        let desk = Desk::new();
        let folder = desk.file("job");
        fs::create_dir(&folder).expect("there is room for folders");
        for (name, content) in self.files {
            fs::write(folder.join(name), content()).expect("there is room for files");
        }
        // Both see the board under the same name.
        symlink(board.port(), folder.join("port")).expect("there is room for links");
        let computer = Computer::default().wired_to(&board.place());
        let gpio = self.gpio.then(|| computer.start());
        let tools = desk.file("tools");
        fs::create_dir(&tools).expect("there is room for folders");
        symlink(who.program(tool), tools.join(tool.name)).expect("there is room for links");

        let mut ended = Vec::new();
        let mut took = Duration::ZERO;
        for run in self.runs {
            let mut command = match run.job {
                Job::Words(words) => {
                    let mut command = who.command(tool, &desk);
                    command.args(words.split_whitespace());
                    command
                }
                Job::Script(text) => {
                    let mut command = desk.program("sh");
                    command.args(["-c", text]).env("PATH", with_path(&tools));
                    command
                }
            };
            command.current_dir(&folder);
            board.attach(&mut command);
            if let Some(gpio) = &gpio {
                gpio.attach(&mut command);
            }
            match run.input {
                Some(input) => {
                    let file = desk.put("input", input());
                    command.stdin(fs::File::open(file).expect("it has just been written"));
                }
                None => {
                    command.stdin(Stdio::null());
                }
            }
            let began = Instant::now();
            ended.push(desk::run(&mut command));
            took = began.elapsed();
        }
        let files = files(&folder);
        let moved = gpio.map(|gpio| gpio.take_events()).unwrap_or_default();
        Side {
            ended,
            remains: board.finish(),
            files,
            lines: moved.iter().filter_map(level).collect(),
            took,
        }
    }
}

/// Checks all rows, and says of each that fails why.
///
/// # Panics
/// If one fails, after all have been tried.
#[track_caller]
pub fn check_all(tool: Tool, rows: &[Row]) {
    let mut failed = Vec::new();
    for row in rows {
        let row = *row;
        // What it has to say it says on standard error when it happens.
        let checked = std::panic::catch_unwind(|| row.check(tool));
        if checked.is_err() {
            failed.push(row.name);
        }
    }
    assert!(failed.is_empty(), "{} rows failed: {failed:?}", tool.name);
}

impl Who {
    fn program(self, tool: Tool) -> PathBuf {
        match self {
            Self::Original => (tool.original)(),
            Self::Ours => built::flashwire(),
        }
    }

    /// The tool by its full name: `stm32flash`, or `flashwire stm32flash`.
    fn command(self, tool: Tool, desk: &Desk) -> Command {
        let mut command = desk.program(self.program(tool));
        if self == Self::Ours {
            command.arg(tool.name);
        }
        command
    }
}

impl Side {
    fn codes(&self) -> Vec<Option<i32>> {
        self.ended.iter().map(|ended| ended.code).collect()
    }

    /// What the chip held against it. To find out where a loader stands that has refused something,
    /// ours says what no loader takes for a command.
    fn complaints(&self) -> impl Iterator<Item = &str> {
        const SOUNDINGS: [&str; 3] = ["[FF, FF]", "[FB, FE]", "[FE, FE]"];
        let complaints = self.remains.complaints.iter().map(String::as_str);
        complaints.filter(|complaint| !SOUNDINGS.iter().any(|said| complaint.ends_with(said)))
    }

    /// What it said, each line as it was last on a screen.
    fn said(&self) -> String {
        let said = |ended: &Ended| format!("{}{}", String::from_utf8_lossy(&ended.out), ended.err);
        let all: String = self.ended.iter().map(said).collect();
        let last = |line: &str| line.rsplit('\r').next().unwrap_or_default().to_owned() + "\n";
        all.lines().map(last).collect()
    }
}

/// A line that was driven; who had it in between is its own affair.
fn level(event: &gpio::Event) -> Option<String> {
    match event.what {
        What::High => Some(format!("{} high", event.line)),
        What::Low => Some(format!("{} low", event.line)),
        What::Taken | What::Input | What::Released => None,
    }
}

/// What the chip does, as far as anybody who comes next can tell.
fn doing(remains: &Remains) -> String {
    match remains.state {
        ChipState::LoaderUnsynchronised => format!("{WAITING} to be greeted"),
        ChipState::Loader {
            baud,
            phase: Phase::Opcode,
            taken: 0,
            busy: false,
        } => format!("{WAITING} for a command at {baud} baud"),
        ChipState::Loader { .. } => format!("{LOADER} in a command: {:?}", remains.state),
        state => format!("{state:?}"),
    }
}

const LOADER: &str = "loader";

/// A loader that anybody may talk to.
const WAITING: &str = "loader waiting";

/// The content of all files in a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let is_file = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|m| m.is_file());
    let content = |path: PathBuf| {
        let content = fs::read(&path).expect("it can be read");
        (path.file_name().expect("it has a name").into(), content)
    };
    paths.filter(is_file).map(content).collect()
}

/// PATH with this folder before all others.
fn with_path(first: &Path) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(first.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).expect("no folder's name has a colon")
}
