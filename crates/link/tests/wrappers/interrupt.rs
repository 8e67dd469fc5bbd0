//! Giving up.

use flashwire_link::{CancelFlag, Interruptible, Link, LinkError};

use crate::fake::{FakeLink, ms};

/// A silent link on which the user gives up after `after_ms`, and which looks at the flag as a link
/// in real time does.
fn given_up_after(after_ms: u64) -> Interruptible<FakeLink> {
    let flag = CancelFlag::new();
    let mut fake = FakeLink::silent();
    fake.claims_real_time = true;
    fake.gives_up = Some((ms(after_ms), flag.clone()));
    Interruptible::new(fake, flag)
}

#[test]
fn a_long_wait_is_cancelled_300_ms_after_the_flag_was_seen() {
    let mut link = given_up_after(1_000);
    let deadline = link.deadline(ms(60_000));
    let result = link.recv(&mut [0; 8], deadline);
    assert!(matches!(result, Err(LinkError::Cancelled)), "{result:?}");
    assert_eq!(link.now().since_open(), ms(1_300));
}

#[test]
fn the_flag_is_seen_within_50_ms() {
    let mut link = given_up_after(1_001);
    let deadline = link.deadline(ms(60_000));
    link.recv(&mut [0; 8], deadline).unwrap_err();
    assert_eq!(link.now().since_open(), ms(1_350));
}

#[test]
fn a_wait_that_ends_within_the_grace_ends_normally() {
    let mut link = given_up_after(100);
    let deadline = link.deadline(ms(399));
    assert_eq!(link.recv(&mut [0; 8], deadline).unwrap(), 0);
    assert_eq!(link.now().since_open(), ms(399));
}

#[test]
fn an_answer_within_the_grace_is_taken_and_the_next_wait_cancelled() {
    let flag = CancelFlag::new();
    let mut fake = FakeLink::silent();
    fake.arrive(ms(200), &[0x79]);
    fake.gives_up = Some((ms(0), flag.clone()));
    let mut link = Interruptible::new(fake, flag);
    link.pause(ms(0)).unwrap();

    let deadline = link.deadline(ms(10_000));
    assert_eq!(link.recv(&mut [0; 8], deadline).unwrap(), 1);
    let result = link.recv(&mut [0; 8], deadline);
    assert!(matches!(result, Err(LinkError::Cancelled)), "{result:?}");
    assert_eq!(link.now().since_open(), ms(300));
}

#[test]
fn after_the_grace_what_has_arrived_can_still_be_taken() {
    let mut fake = FakeLink::silent();
    fake.arrive(ms(0), &[1, 2]);
    let flag = CancelFlag::new();
    flag.raise();
    let mut link = Interruptible::new(fake, flag);
    link.pause(ms(1_000)).unwrap_err();
    let deadline = link.deadline(ms(10_000));
    assert_eq!(link.recv(&mut [0; 1], deadline).unwrap(), 1);
    assert_eq!(link.recv(&mut [0; 8], deadline).unwrap(), 1);
    // Looking is no wait.
    let passed = link.deadline(ms(0));
    assert_eq!(link.recv(&mut [0; 8], passed).unwrap(), 0);
}

#[test]
fn a_pause_is_cancelled_like_a_wait() {
    let mut link = given_up_after(1_000);
    let result = link.pause(ms(60_000));
    assert!(matches!(result, Err(LinkError::Cancelled)), "{result:?}");
    assert_eq!(link.now().since_open(), ms(1_300));
    // And one that is short enough is not, if the grace lasts.
    let mut link = given_up_after(1_000);
    link.pause(ms(1_300)).unwrap();
    let result = link.pause(ms(1));
    assert!(matches!(result, Err(LinkError::Cancelled)), "{result:?}");
}

#[test]
fn in_virtual_time_an_hour_is_one_call() {
    let fake = FakeLink::silent();
    let log = fake.log.clone();
    let mut link = Interruptible::new(fake, CancelFlag::new());
    let deadline = link.deadline(ms(3_600_000));
    assert_eq!(link.recv(&mut [0; 8], deadline).unwrap(), 0);
    link.pause(ms(3_600_000)).unwrap();
    assert_eq!(log.take(), ["0ns recv until 3600s", "3600s pause 3600s"]);
}

#[test]
#[cfg(feature = "os")]
fn in_real_time_another_thread_ends_a_wait() {
    use std::net::TcpListener;
    use std::time::Instant;

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let settings = flashwire_link::Settings::plain(9600);
    let tcp = flashwire_link::tcp::connect(&address, settings, ms(2_000)).unwrap();
    let flag = CancelFlag::new();
    let mut link = Interruptible::new(tcp, flag.clone());
    let user = std::thread::spawn(move || {
        std::thread::sleep(ms(100));
        flag.raise();
    });
    let start = Instant::now();
    let deadline = link.deadline(ms(20_000));
    let result = link.recv(&mut [0; 8], deadline);
    assert!(matches!(result, Err(LinkError::Cancelled)), "{result:?}");
    let took = start.elapsed();
    assert!(took >= ms(400) && took < ms(2_000), "{took:?}");
    user.join().unwrap();
}
