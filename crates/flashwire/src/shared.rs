//! A link that somebody else keeps a hand on: the client drives it, and the session goes on reading
//! its clock and closes what is behind it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use flashwire_link::{Deadline, Instant, LineChange, Link, LinkError, Settings};

/// One of several hands on a link. Nobody holds on to it between calls, so that no two meet.
pub(crate) struct Shared<L: ?Sized> {
    name: String,
    link: Rc<RefCell<L>>,
}

impl<L: Link + ?Sized> Shared<L> {
    pub(crate) fn new(link: Rc<RefCell<L>>) -> Self {
        let name = link.borrow().name().to_owned();
        Self { name, link }
    }
}

impl<L: Link + ?Sized> Link for Shared<L> {
    fn name(&self) -> &str {
        &self.name
    }

    fn now(&self) -> Instant {
        self.link.borrow().now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.link.borrow_mut().send(bytes)
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        self.link.borrow_mut().recv(buffer, deadline)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.link.borrow_mut().pause(duration)
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.link.borrow_mut().configure(settings)
    }

    fn settings(&self) -> Settings {
        self.link.borrow().settings()
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        self.link.borrow_mut().lines(changes)
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.link.borrow_mut().discard_input()
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.link.borrow_mut().take_warnings()
    }

    fn real_time(&self) -> bool {
        self.link.borrow().real_time()
    }

    fn deadline(&self, after: Duration) -> Deadline {
        self.link.borrow().deadline(after)
    }

    fn recv_all(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        self.link.borrow_mut().recv_all(buffer, deadline)
    }
}
