//! How far a job is: a bar on a terminal, a line every 10 % elsewhere, or an event a line in JSON.

use std::time::Duration;

use flashwire::{Phase, Progress, Watcher};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::ProgressKind;
use crate::json;
use crate::screen::{self, Screen};

/// Shows what a session tells, and answers what it asks.
pub(crate) struct ProgressView {
    screen: Screen,
    shape: Shape,
    /// Whether there is a person who can be asked.
    may_ask: bool,
    /// The phase under way and how long it has taken, for `--verbose`.
    phase: Option<(Phase, Duration)>,
}

enum Shape {
    Bar(Option<ProgressBar>),
    /// The tenth of the stage that was shown last.
    Lines(Option<u64>),
    Json,
    Nothing,
}

impl ProgressView {
    pub(crate) fn new(screen: &Screen, may_ask: bool) -> Self {
        let terminal = screen::error_is_terminal();
        let shape = match screen.args.progress {
            ProgressKind::Json => Shape::Json,
            ProgressKind::None => Shape::Nothing,
            _ if screen.args.quiet => Shape::Nothing,
            ProgressKind::Bar => Shape::Bar(None),
            ProgressKind::Auto if terminal => Shape::Bar(None),
            ProgressKind::Auto => Shape::Lines(None),
        };
        Self {
            screen: screen.clone(),
            shape,
            may_ask: may_ask && terminal,
            phase: None,
        }
    }

    /// Says how long each phase took, if anybody wants to know.
    fn time_phase(&mut self, progress: &Progress) {
        let ended = self.phase.filter(|(phase, _)| *phase != progress.phase);
        self.phase = Some((progress.phase, progress.phase_elapsed));
        let last = self.phase.filter(|_| progress.is_last());
        for (phase, took) in [ended, last].into_iter().flatten() {
            self.note(&format!("{phase} took {}", seconds(took)));
        }
        if progress.is_last() {
            self.phase = None;
        }
    }

    /// Takes the bar away, so that what is said next stands in its place.
    fn clear(&mut self) {
        if let Shape::Bar(bar) = &mut self.shape
            && let Some(bar) = bar.take()
        {
            bar.finish_and_clear();
        }
    }
}

impl Watcher for ProgressView {
    fn progress(&mut self, progress: &Progress) {
        match &mut self.shape {
            Shape::Bar(bar) => {
                let shown = bar.get_or_insert_with(new_bar);
                shown.set_position((progress.fraction * BAR_STEPS as f64) as u64);
                shown.set_message(progress.phase.to_string());
                shown.set_prefix(pace(progress));
                if progress.is_last() {
                    self.clear();
                }
            }
            Shape::Lines(shown) => {
                let tenth = (progress.fraction * 10.0) as u64;
                let is_new = tenth > 0 && shown.is_none_or(|shown| tenth > shown);
                if is_new && is_worth_a_line(progress) {
                    human_line(&self.screen, tenth * 10, progress);
                }
                *shown = if progress.is_last() {
                    None
                } else {
                    Some(tenth)
                };
            }
            Shape::Json => {
                // Standard output is gone; the job goes on all the same.
                let _ = self.screen.object(&json::ProgressObject::new(progress));
            }
            Shape::Nothing => {}
        }
        if self.screen.args.verbose {
            self.time_phase(progress);
        }
    }

    fn warn(&mut self, text: &str) {
        self.clear();
        self.screen.warn(text);
    }

    fn say(&mut self, text: &str) {
        self.clear();
        self.screen.say(text);
    }

    fn note(&mut self, text: &str) {
        if self.screen.args.verbose {
            self.clear();
            self.screen.detail(text);
        }
    }

    fn ask_for_bootloader(&mut self, link: &str) -> bool {
        if self.may_ask {
            self.clear();
            self.screen.say(&format!(
                "Waiting for the bootloader on {link}: set BOOT0 high, then press RESET on the board. \
                 Ctrl-C gives up."
            ));
        }
        self.may_ask
    }
}

const BAR_STEPS: u64 = 1000;

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(BAR_STEPS), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg:>9} [{bar:30}] {percent:>3} %  {prefix}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Shortest stage that is shown line by line.
const LONG: Duration = Duration::from_secs(2);

fn is_worth_a_line(progress: &Progress) -> bool {
    progress.elapsed + progress.remaining.unwrap_or_default() >= LONG
}

fn human_line(screen: &Screen, percent: u64, progress: &Progress) {
    screen.say(&format!(
        "{percent:>4} %  {:<9}  {}",
        progress.phase,
        pace(progress)
    ));
}

/// Rate and time left: `11.2 KiB/s, 5 s left`.
fn pace(progress: &Progress) -> String {
    let rate = progress
        .bytes_per_second()
        .map(|rate| format!("{}/s", bytes(rate as u64)));
    let left = progress
        .remaining
        .filter(|_| !progress.is_last())
        .map(|left| format!("{} left", seconds(left)));
    [rate, left]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

/// A size for people: `512 bytes`, `11.6 KiB`, `2 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let scaled = |unit_bytes: u64, unit: &str| {
        let tenths = (bytes * 10 + unit_bytes / 2) / unit_bytes;
        match tenths % 10 {
            0 => format!("{} {unit}", tenths / 10),
            tenth => format!("{}.{tenth} {unit}", tenths / 10),
        }
    };
    match bytes {
        1 => "1 byte".to_owned(),
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => scaled(1024, "KiB"),
        _ => scaled(1_048_576, "MiB"),
    }
}

/// A duration for people: `30 ms`, `0.4 s`, `12 s`, `3:05 min`.
pub(crate) fn seconds(duration: Duration) -> String {
    if duration < Duration::from_millis(100) {
        return format!("{} ms", duration.as_millis());
    }
    let tenths = (duration.as_millis() + 50) / 100;
    match tenths {
        0..100 => format!("{}.{} s", tenths / 10, tenths % 10),
        100..600 => format!("{} s", (tenths + 5) / 10),
        _ => {
            let whole = (tenths + 5) / 10;
            format!("{}:{:02} min", whole / 60, whole % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_at_most_one_decimal() {
        let cases = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (11_900, "11.6 KiB"),
            (65_536, "64 KiB"),
            (1_048_576, "1 MiB"),
            (1_600_000, "1.5 MiB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn durations_read_as_people_say_them() {
        let cases = [
            (0, "0 ms"),
            (99, "99 ms"),
            (100, "0.1 s"),
            (420, "0.4 s"),
            (9_940, "9.9 s"),
            (9_960, "10 s"),
            (59_400, "59 s"),
            (59_960, "1:00 min"),
            (185_000, "3:05 min"),
        ];
        for (millis, text) in cases {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }
}
