//! What a port could not do, told once.

use std::collections::BTreeSet;

use crate::Line;

/// Warnings that are waiting to be taken; each is given only once in the life of the port.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    waiting: Vec<String>,
    given: BTreeSet<String>,
}

impl Warnings {
    pub(crate) fn add(&mut self, warning: String) {
        if self.given.insert(warning.clone()) {
            self.waiting.push(warning);
        }
    }

    pub(crate) fn add_line(&mut self, line: &Line) {
        let name = match line {
            Line::Dtr => "the DTR line".to_owned(),
            Line::Rts => "the RTS line".to_owned(),
            Line::Break => "break".to_owned(),
            gpio @ Line::Gpio { .. } => gpio.to_string(),
        };
        self.add(format!("{name} is not supported by this port"));
    }

    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.waiting)
    }
}
