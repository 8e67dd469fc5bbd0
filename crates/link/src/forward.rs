//! A pointer to a link is a link: a wrapper takes a `Box<dyn Link>` or a `&mut dyn Link` alike.

use std::ops::DerefMut;
use std::time::Duration;

use crate::{Deadline, Instant, LineChange, Link, LinkError, Settings};

/// Passes every method on, the provided ones included: the link below may have its own.
impl<P> Link for P
where
    P: DerefMut,
    P::Target: Link,
{
    fn name(&self) -> &str {
        (**self).name()
    }

    fn now(&self) -> Instant {
        (**self).now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        (**self).send(bytes)
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        (**self).recv(buffer, deadline)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        (**self).pause(duration)
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        (**self).configure(settings)
    }

    fn settings(&self) -> Settings {
        (**self).settings()
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        (**self).lines(changes)
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        (**self).discard_input()
    }

    fn take_warnings(&mut self) -> Vec<String> {
        (**self).take_warnings()
    }

    fn real_time(&self) -> bool {
        (**self).real_time()
    }

    fn deadline(&self, after: Duration) -> Deadline {
        (**self).deadline(after)
    }

    fn recv_all(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        (**self).recv_all(buffer, deadline)
    }
}
